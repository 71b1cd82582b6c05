//! Views that stay where they are while what they show changes.
//!
//! A view that is drawn anew loses what was typed into it, the keyboard's place, what was unfolded, and a click whose
//! button was pressed before and let go after. News of peers may come at any moment, so whatever can be typed into or
//! pressed is drawn once, and follows.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use leptos::prelude::*;

use crate::ui::components::notice::failed;
use crate::ui::fetch::Fetched;

/// An answer as it is on show: what is drawn for it follows later answers, and is drawn anew only after a failure or
/// another question.
pub fn answered<T, V>(answer: Fetched<T>, draw: impl Fn(Memo<T>) -> V + Send + Sync + 'static) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let failure = Memo::new(move |_| answer.with(|answer| answer.as_ref().and_then(|answer| answer.clone().err())));
    let otherwise = move || {
        view! { {move || failure.get().map_or_else(looking, failed)} }
    };
    present(Signal::derive(move || answer.with(|answer| answer.clone().and_then(Result::ok))), draw, otherwise)
}

fn looking() -> AnyView {
    view! { <p class="muted" role="status">"Looking…"</p> }.into_any()
}

/// Draws what there is once, for as long as there is something, and `otherwise` as long as there is nothing.
pub fn present<T, V, O>(
    value: impl Into<Signal<Option<T>>>,
    draw: impl Fn(Memo<T>) -> V + Send + Sync + 'static,
    otherwise: impl Fn() -> O + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    V: IntoView + 'static,
    O: IntoView + 'static,
{
    let value = value.into();
    let there = Memo::new(move |_| value.with(Option::is_some));
    move || {
        // A memo follows nothing before it was read once, so it is read and not just tracked.
        let first = if there.get() { value.get_untracked() } else { None };
        match first {
            None => otherwise().into_any(),
            Some(first) => draw(lasting(move || value.get(), first)).into_any(),
        }
    }
}

/// Follows a value, and stays at its last one when there is none any more.
fn lasting<T>(value: impl Fn() -> Option<T> + Send + Sync + 'static, first: T) -> Memo<T>
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    Memo::new(move |last: Option<&T>| value().or_else(|| last.cloned()).unwrap_or_else(|| first.clone()))
}

/// One part of something bigger, drawn anew only when that part changed.
pub fn part<T, S, V>(
    whole: Memo<T>,
    take: impl Fn(&T) -> S + Send + Sync + 'static,
    draw: impl Fn(S) -> V + Send + Sync + 'static,
) -> impl IntoView
where
    T: Send + Sync + 'static,
    S: Clone + PartialEq + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let part = of(whole, take);
    move || draw(part.get())
}

/// One part of something bigger, for those who follow it themselves.
pub fn of<T, S>(whole: Memo<T>, take: impl Fn(&T) -> S + Send + Sync + 'static) -> Memo<S>
where
    T: Send + Sync + 'static,
    S: PartialEq + Send + Sync + 'static,
{
    Memo::new(move |_| whole.with(&take))
}

/// The rows of a list: each stays the same as long as its key is in it, and follows what becomes of it.
///
/// Of two items with the same key the first is shown.
pub fn rows<T, K, V>(
    all: impl Into<Signal<Vec<T>>>,
    key: impl Fn(&T) -> K + Copy + Send + Sync + 'static,
    row: impl Fn(Memo<T>) -> V + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let all = all.into();
    let index = Memo::new(move |_| {
        all.with(|all| all.iter().rev().map(|item| (key(item), item.clone())).collect::<HashMap<K, T>>())
    });
    let row = move |item: T| {
        let key = key(&item);
        row(lasting(move || index.with(|index| index.get(&key).cloned()), item))
    };
    let each = move || {
        let mut seen = HashSet::new();
        all.with(|all| all.iter().filter(|item| seen.insert(key(item))).cloned().collect::<Vec<T>>())
    };
    view! { <For each key children=row /> }
}

/// A field shows what comes from elsewhere (another tab, an undo) for as long as nobody changed it by hand. `kept_as` is
/// what would be kept of the field as it stands. Call what is given back once that was kept: it counts as unchanged then.
pub fn follow<T>(field: RwSignal<T>, source: Memo<T>, kept_as: impl Fn(&T) -> T + Send + Sync + 'static) -> Callback<()>
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    let base = StoredValue::new(source.get_untracked());
    let kept = StoredValue::new(move || field.with_untracked(&kept_as));
    Effect::new(move |_| {
        let now = source.get();
        let before = base.get_value();
        if now != before && kept.with_value(|kept| kept()) == before {
            field.set(now.clone());
        }
        base.set_value(now);
    });
    Callback::new(move |()| {
        // The form may be gone meanwhile.
        if let Some(kept) = kept.try_with_value(|kept| kept()) {
            base.try_set_value(kept);
        }
    })
}

/// The same for a text, which is kept without the spaces around it.
pub fn follow_text(field: RwSignal<String>, source: Memo<String>) -> Callback<()> {
    follow(field, source, |text| text.trim().to_owned())
}
