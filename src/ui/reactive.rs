//! Views that stay where they are while what they show changes.
//!
//! Re-rendering discards typed text, focus, open `<details>` and clicks in progress (a button pressed before and
//! released after is another button). Events of peers may come at any moment, so everything that can be typed into or
//! pressed is rendered once and updated through signals:
//!
//! - [`query_view`] for the answer of a query, with its waiting and its failure;
//! - [`some_view`] for what may be absent;
//! - [`slice_view`] for a small part without controls, which may be rendered again when that part changes;
//! - [`select`] for a part that the view follows by itself;
//! - [`keyed_list`] for the rows of a list, each of which stays while its key does;
//! - [`bind_field`] and [`bind_text`] for a form field that follows what is stored until somebody edits it.

use std::collections::HashSet;

use leptos::prelude::*;

use crate::components::notice::render_failure;
use crate::query::QueryState;

/// Views without their types: one of these is some kilobytes of program for each type that it is made for.
type Render = Box<dyn Fn() -> AnyView + Send + Sync>;

/// Renders an answer once and updates it through signals; renders again only after a failure or
/// another question.
pub fn query_view<T, V>(answer: QueryState<T>, render: impl Fn(Memo<T>) -> V + Send + Sync + 'static) -> AnyView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let failure = Memo::new(move |_| answer.with(|answer| answer.as_ref().and_then(|answer| answer.clone().err())));
    let fallback = move || render_erased(Box::new(move || failure.get().map_or_else(render_loading, render_failure)));
    some_view(Signal::derive(move || answer.with(|answer| answer.clone().and_then(Result::ok))), render, fallback)
}

/// What is shown in place of an answer that is awaited.
fn render_loading() -> AnyView {
    view! { <p class="muted" role="status">"Looking…"</p> }.into_any()
}

/// Renders a value once, for as long as there is one, and `fallback` as long as there is none. The view follows the
/// value through the memo that it gets.
pub fn some_view<T, V, O>(
    value: impl Into<Signal<Option<T>>>,
    render: impl Fn(Memo<T>) -> V + Send + Sync + 'static,
    fallback: impl Fn() -> O + Send + Sync + 'static,
) -> AnyView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    V: IntoView + 'static,
    O: IntoView + 'static,
{
    let value = value.into();
    let is_some = Memo::new(move |_| value.with(Option::is_some));
    render_erased(Box::new(move || {
        // A memo follows nothing before it was read once, so it is read and not just tracked.
        let first = if is_some.get() { value.get_untracked() } else { None };
        match first {
            None => fallback().into_any(),
            Some(first) => render(keep_last(move || value.get(), first)).into_any(),
        }
    }))
}

/// Runs a view again with every change of what it reads.
fn render_erased(render: Render) -> AnyView {
    (move || render()).into_any()
}

/// Follows a value, and stays at its last one when there is none any more.
fn keep_last<T>(value: impl Fn() -> Option<T> + Send + Sync + 'static, first: T) -> Memo<T>
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    Memo::new(move |last: Option<&T>| value().or_else(|| last.cloned()).unwrap_or_else(|| first.clone()))
}

/// One slice of a larger value, rendered again only when that slice changed.
pub fn slice_view<T, S, V>(
    whole: Memo<T>,
    take: impl Fn(&T) -> S + Send + Sync + 'static,
    render: impl Fn(S) -> V + Send + Sync + 'static,
) -> AnyView
where
    T: Send + Sync + 'static,
    S: Clone + PartialEq + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let part = select(whole, take);
    render_erased(Box::new(move || render(part.get()).into_any()))
}

/// One part of something bigger, for those who follow it themselves.
pub fn select<T, S>(whole: Memo<T>, take: impl Fn(&T) -> S + Send + Sync + 'static) -> Memo<S>
where
    T: Send + Sync + 'static,
    S: PartialEq + Send + Sync + 'static,
{
    Memo::new(move |_| whole.with(&take))
}

/// The rows of a list: each stays the same as long as its key is in it, and follows what becomes of it.
///
/// Of two items with the same key the first is shown. A change costs the square of the number of rows, which is
/// bounded by what a page shows at once.
pub fn keyed_list<T, V>(
    all: impl Into<Signal<Vec<T>>>,
    key: fn(&T) -> String,
    render_row: impl Fn(Memo<T>) -> V + Send + Sync + 'static,
) -> AnyView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let all = all.into();
    let keys = move || all.with(|all| all.iter().map(key).collect());
    let render_row = move |wanted: String| {
        let find = move || all.with(|all| all.iter().find(|item| key(item) == wanted).cloned());
        // Taken away before it was drawn: then so is the row.
        find().map(|first| render_row(keep_last(find, first)).into_any())
    };
    keyed(Box::new(keys), Box::new(render_row))
}

/// Renders the row of a key; none if its item is gone already.
type Row = Box<dyn Fn(String) -> Option<AnyView> + Send + Sync>;

/// The list behind [`keyed_list`], without the type of its items.
fn keyed(keys: Box<dyn Fn() -> Vec<String> + Send + Sync>, render_row: Row) -> AnyView {
    let render_row = StoredValue::new(render_row);
    let each = move || {
        let mut seen = HashSet::new();
        keys().into_iter().filter(|key| seen.insert(key.clone())).collect::<Vec<_>>()
    };
    view! { <For each key=Clone::clone children=move |key| render_row.with_value(|render_row| render_row(key)) /> }
        .into_any()
}

/// A field follows its source (another tab, an undo) until it is edited by hand. `kept_as` returns
/// what would be saved of the field now. Call the returned callback after saving: the field counts as unedited again.
pub fn bind_field<T>(
    field: RwSignal<T>,
    source: Memo<T>,
    kept_as: impl Fn(&T) -> T + Send + Sync + 'static,
) -> Callback<()>
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    let base = StoredValue::new(source.get_untracked());
    let to_save = StoredValue::new(move || field.with_untracked(&kept_as));
    Effect::new(move |_| {
        let now = source.get();
        let before = base.get_value();
        if now != before && to_save.with_value(|to_save| to_save()) == before {
            field.set(now.clone());
        }
        base.set_value(now);
    });
    Callback::new(move |()| {
        // The form may be gone meanwhile.
        if let Some(to_save) = to_save.try_with_value(|to_save| to_save()) {
            base.try_set_value(to_save);
        }
    })
}

/// The same for a text, which is kept without the spaces around it.
pub fn bind_text(field: RwSignal<String>, source: Memo<String>) -> Callback<()> {
    bind_field(field, source, |text| text.trim().to_owned())
}
