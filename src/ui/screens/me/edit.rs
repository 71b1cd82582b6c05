//! The form for everything about me but the name.

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_bytes::ByteBuf;

use crate::action::ActionState;
use crate::app_state::{AppState, app_state};
use crate::components::field::{Submit, TextArea, TextField};
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use crate::model::form_text::{join_lines, parse_lines};
use crate::reactive::{bind_field, bind_text, select};
use crate::widgets::avatar::Avatar;
use crate::{dom, picture};
use gen_registry_api::{Me, ProfileChanges};

/// What is to become of the picture.
#[derive(Clone, PartialEq)]
enum ChosenAvatar {
    /// Stays as it is.
    Unchanged,
    /// Is removed.
    None,
    /// Is replaced; `url` shows the new one before it is saved.
    New { bytes: Vec<u8>, url: String },
}

/// The form. Fields follow another tab until they are edited here; saving can be taken back.
#[component]
pub fn EditProfile(me: Memo<Me>) -> impl IntoView {
    let app_state = app_state();
    let start = me.with_untracked(|me| me.profile.clone());
    let display_name = RwSignal::new(start.display_name.clone().unwrap_or_default());
    let bio = RwSignal::new(start.bio.clone().unwrap_or_default());
    let links = RwSignal::new(join_lines(&start.links));
    let chosen = RwSignal::new(ChosenAvatar::Unchanged);
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let rebase = [
        bind_text(display_name, select(me, |me| me.profile.display_name.clone().unwrap_or_default())),
        bind_text(bio, select(me, |me| me.profile.bio.clone().unwrap_or_default())),
        bind_field(links, select(me, |me| join_lines(&me.profile.links)), |text| join_lines(&parse_lines(text))),
    ];
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let before = me.with_untracked(|me| me.profile.clone());
        let changes = ProfileChanges {
            display_name: Some(display_name.get_untracked().trim().to_owned()),
            bio: Some(bio.get_untracked().trim().to_owned()),
            links: Some(parse_lines(&links.get_untracked())),
            avatar: match chosen.get_untracked() {
                ChosenAvatar::Unchanged => None,
                ChosenAvatar::None => Some(ByteBuf::new()),
                ChosenAvatar::New { bytes, .. } => Some(ByteBuf::from(bytes)),
            },
        };
        let client = app_state.client();
        let saved = async move {
            let old_picture = match (&changes.avatar, &before.avatar) {
                (Some(_), Some(cid)) => client.block(cid.clone()).await.ok().flatten().map(|b| b.bytes),
                _ => None,
            };
            let picture_changed = changes.avatar.is_some();
            let me = client.update_profile(changes).await?;
            Ok((me, before, picture_changed, old_picture))
        };
        attempt.start(saved, move |(me, before, picture_changed, old_picture)| {
            app_state.set_me(*me);
            rebase.iter().for_each(|rebase| rebase.run(()));
            chosen.try_set(ChosenAvatar::Unchanged);
            let undo = ProfileChanges {
                display_name: Some(before.display_name.unwrap_or_default()),
                bio: Some(before.bio.unwrap_or_default()),
                links: Some(before.links),
                avatar: picture_changed.then(|| ByteBuf::from(old_picture.unwrap_or_default())),
            };
            app_state.shell.toasts.push_with_undo(
                "Profile saved on this device.",
                Callback::new(move |()| restore_profile(app_state, undo.clone())),
            );
        });
    };
    view! {
        <section class="card" aria-labelledby="edit-title">
            <h2 id="edit-title">"Edit profile"</h2>
            <form class="stack" on:submit=send>
                <PictureField me chosen />
                <TextField
                    id="profile-display"
                    label="Display name"
                    value=display_name
                    testid="profile-display"
                    autocomplete="name"
                    hint="How you like to be called. Anybody may use any display name."
                />
                <TextArea id="profile-bio" label="About you" value=bio testid="profile-bio" />
                <TextArea
                    id="profile-links"
                    label="Links"
                    value=links
                    testid="profile-links"
                    rows=3
                    hint="One address on each line, such as https://example.org"
                />
                <FailureNotice failure />
                <Submit label="Save" working="Saving…" busy testid="profile-save" />
            </form>
        </section>
    }
}

/// Brings the profile back that was there before saving.
fn restore_profile(app_state: AppState, old: ProfileChanges) {
    spawn_local(async move {
        match app_state.client().update_profile(old).await {
            Ok(me) => {
                app_state.set_me(*me);
                app_state.shell.toasts.push_good("Put back as it was.");
            }
            Err(why) => app_state.shell.show_failure(&why),
        }
    });
}

/// The picture with a field that replaces it; what is chosen is shown at once and saved with the form.
#[component]
fn PictureField(me: Memo<Me>, chosen: RwSignal<ChosenAvatar>) -> impl IntoView {
    let trouble = RwSignal::new(None::<String>);
    let busy = RwSignal::new(false);
    let input = NodeRef::<html::Input>::new();
    let pick = move |_| {
        let Some(file) = input.get_untracked().and_then(|input| input.files()).and_then(|files| files.get(0)) else {
            return;
        };
        busy.set(true);
        trouble.set(None);
        spawn_local(async move {
            match picture::shrink(&file).await {
                Ok(bytes) => {
                    let url =
                        dom::blob(&bytes, "image/*").and_then(|b| web_sys::Url::create_object_url_with_blob(&b).ok());
                    chosen.try_set(ChosenAvatar::New { bytes, url: url.unwrap_or_default() });
                }
                Err(why) => {
                    trouble.try_set(Some(why.to_string()));
                }
            }
            busy.try_set(false);
            // The same file can be chosen again after a change of mind.
            if let Some(Some(input)) = input.try_get_untracked() {
                input.set_value("");
            }
        });
    };
    let preview = move || {
        let (key, cid) = me.with(|me| (me.public_key.clone().unwrap_or_default(), me.profile.avatar.clone()));
        match chosen.get() {
            ChosenAvatar::Unchanged => view! { <Avatar public_key=key cid /> }.into_any(),
            ChosenAvatar::None => view! { <Avatar public_key=key cid=None /> }.into_any(),
            ChosenAvatar::New { url, .. } => view! {
                <span class="avatar">
                    <img class="avatar-picture" src=url alt="The chosen picture" />
                </span>
            }
            .into_any(),
        }
    };
    let has_one = move || match chosen.get() {
        ChosenAvatar::Unchanged => me.with(|me| me.profile.avatar.is_some()),
        ChosenAvatar::None => false,
        ChosenAvatar::New { .. } => true,
    };
    view! {
        <div class="picture-field">
            {preview}
            <div class="picture-controls">
                <label class="field-label" for="profile-picture">
                    "Picture"
                </label>
                <input
                    class="file-input"
                    id="profile-picture"
                    type="file"
                    accept="image/png,image/jpeg,image/webp,image/gif"
                    data-testid="profile-avatar"
                    aria-describedby="profile-picture-hint"
                    node_ref=input
                    disabled=move || busy.get()
                    on:change=pick
                />
                <p class="field-hint" id="profile-picture-hint">
                    "The middle square is kept, 256 pixels wide. Without a picture your key draws one."
                </p>
                <p class="field-error" role="alert">
                    {move || trouble.get()}
                </p>
                <Show when=has_one>
                    <button type="button" class="button button-small" on:click=move |_| chosen.set(ChosenAvatar::None)>
                        {icon(Icon::Trash)}
                        "Remove picture"
                    </button>
                </Show>
            </div>
        </div>
    }
}
