//! Somebody's face: their picture if this device has it, else the picture of their key.

use std::collections::{HashMap, VecDeque};

use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::Url;

use crate::app_state::{AppState, app_state};
use crate::components::identicon::identicon;
use crate::dom;

/// Pictures kept ready; the oldest goes first. What is on show stays on show.
const KEPT: usize = 256;
/// What a browser may draw. Anything else in a block is not a picture.
const DRAWABLE: [&str; 4] = ["image/png", "image/jpeg", "image/webp", "image/gif"];

/// Object URLs by CID. None inside: asked for, and not here (yet).
#[derive(Default)]
pub struct Pictures {
    known: HashMap<String, ArcRwSignal<Option<String>>>,
    order: VecDeque<String>,
}

impl Pictures {
    fn find(&self, cid: &str) -> Option<ArcRwSignal<Option<String>>> {
        self.known.get(cid).cloned()
    }

    fn keep(&mut self, cid: &str) -> ArcRwSignal<Option<String>> {
        if self.order.len() >= KEPT
            && let Some(oldest) = self.order.pop_front()
            && let Some(signal) = self.known.remove(&oldest)
            && let Some(url) = signal.get_untracked()
        {
            let _already_gone = Url::revoke_object_url(&url);
        }
        let signal = ArcRwSignal::new(None);
        self.known.insert(cid.to_owned(), signal.clone());
        self.order.push_back(cid.to_owned());
        signal
    }

    fn forget(&mut self, cid: &str) {
        self.known.remove(cid);
        self.order.retain(|known| known != cid);
    }
}

fn picture(app_state: AppState, cid: &str) -> ArcRwSignal<Option<String>> {
    if let Some(known) = app_state.pictures.with_value(|pictures| pictures.find(cid)) {
        return known;
    }
    let mut kept = None;
    app_state.pictures.update_value(|pictures| kept = Some(pictures.keep(cid)));
    let signal = kept.unwrap_or_else(|| ArcRwSignal::new(None));
    let (cid, filled) = (cid.to_owned(), signal.clone());
    spawn_local(async move {
        let block = app_state.client().block(cid.clone()).await.ok().flatten();
        let url = block
            .filter(|block| DRAWABLE.contains(&block.media_type.as_str()))
            .and_then(|block| dom::blob(&block.bytes, &block.media_type))
            .and_then(|blob| Url::create_object_url_with_blob(&blob).ok());
        match url {
            Some(url) => filled.set(Some(url)),
            // It may come later: the next look asks again.
            None => app_state.pictures.update_value(|pictures| pictures.forget(&cid)),
        }
    });
    signal
}

/// Decoration beside a name.
#[component]
pub fn Avatar(#[prop(into)] public_key: String, cid: Option<String>) -> impl IntoView {
    let drawn = identicon(&public_key);
    let picture = cid.map(|cid| picture(app_state(), &cid));
    view! {
        <span class="avatar">
            {drawn}
            {picture
                .map(|picture| {
                    move || picture.get().map(|url| view! { <img class="avatar-picture" src=url alt="" /> })
                })}
        </span>
    }
}
