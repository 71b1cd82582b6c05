//! What is said of the own name on its way: wanted, held, and given up.

use super::people::format_username;
use gen_registry_api::{Me, NameStatus};

/// Whether the name is not this profile's yet: it is asked for, or waits for witnesses.
pub fn is_wanted(status: Option<NameStatus>) -> bool {
    matches!(status, Some(NameStatus::Intent | NameStatus::Pending))
}

/// What is said after a name was claimed.
pub fn describe_claim(me: &Me) -> String {
    let name = me.username.as_deref().unwrap_or_default();
    if is_wanted(me.name_status) {
        return format!("{name} is wanted. It is yours as soon as a witness of this network has seen it.");
    }
    format!("{name} is yours. It is saved on this device.")
}

/// What is said after another name was asked for.
pub fn describe_rename(me: &Me) -> String {
    let name = format_username(me.username.as_deref().unwrap_or_default());
    match &me.next_username {
        Some(next) => {
            format!("{next} is wanted. You are {name} until a witness of this network has seen the new one.")
        }
        None if is_wanted(me.name_status) => describe_claim(me),
        None => format!("You are {name} now. Your old name stays yours."),
    }
}

/// What is said once a name that was wanted is confirmed.
pub fn describe_confirmed(before: &Me, now: &Me) -> Option<String> {
    let was_wanted = before.username.as_ref().filter(|_| is_wanted(before.name_status));
    let wanted = before.next_username.as_ref().or(was_wanted)?;
    let is_held = now.username.as_ref() == Some(wanted) && now.name_status == Some(NameStatus::Confirmed);
    is_held.then(|| format!("{wanted} is yours. The network’s witnesses have confirmed it."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, status: NameStatus) -> Me {
        Me { username: Some(name.to_owned()), name_status: Some(status), ..Me::default() }
    }

    #[test]
    fn name_is_said_to_be_wanted_until_a_witness_has_confirmed_it() {
        let (wanted, held) = (named("rose", NameStatus::Intent), named("rose", NameStatus::Confirmed));
        assert!(describe_claim(&wanted).starts_with("rose is wanted."));
        assert!(describe_claim(&held).starts_with("rose is yours."));
        assert!(describe_confirmed(&wanted, &held).is_some_and(|said| said.starts_with("rose is yours.")));
        assert_eq!(describe_confirmed(&held, &held), None);
        assert_eq!(describe_confirmed(&wanted, &named("rosa", NameStatus::Confirmed)), None);
    }

    #[test]
    fn another_name_is_said_to_be_wanted_beside_the_present_one() {
        let before = Me { next_username: Some("rosa".to_owned()), ..named("rose", NameStatus::Confirmed) };
        assert!(describe_rename(&before).starts_with("rosa is wanted. You are @rose until"));
        let now = named("rosa", NameStatus::Confirmed);
        assert!(describe_rename(&now).starts_with("You are @rosa now."));
        assert!(describe_confirmed(&before, &now).is_some_and(|said| said.starts_with("rosa is yours.")));
    }
}
