//! Devices and what they wrote, as texts.

use gen_registry_api::{DeviceCapabilities, DeviceEntry, DeviceEntryKind, DeviceRow};

/// What a person calls a device: its four words, of which nobody has to remember more than the first.
pub fn device_name(words: &[String]) -> String {
    words.join(" ")
}

/// What a device may do, in one line.
pub fn format_capabilities(may: &DeviceCapabilities) -> String {
    if *may == DeviceCapabilities::full() {
        return "may do everything but change devices and keys".to_owned();
    }
    let publish = match may.publish.as_deref() {
        None => None,
        Some("*") => Some("publish modules".to_owned()),
        Some(pattern) => Some(format!("publish {pattern}")),
    };
    let said = [
        may.profile.then(|| "change the profile".to_owned()),
        may.claim.then(|| "claim names".to_owned()),
        publish,
        may.yank.then(|| "withdraw versions".to_owned()),
        may.rate.then(|| "rate".to_owned()),
        may.chat.then(|| "chat".to_owned()),
        may.grant.then(|| "let others publish".to_owned()),
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    if said.is_empty() { "may only read".to_owned() } else { format!("may {}", said.join(", ")) }
}

/// How often the identity key was replaced.
pub fn format_rotations(count: u32) -> String {
    match count {
        0 => "was never replaced".to_owned(),
        1 => "was replaced once".to_owned(),
        count => format!("was replaced {count} times"),
    }
}

/// What an entry says.
pub fn describe_entry(entry: &DeviceEntry) -> String {
    let DeviceEntry { what, subject, .. } = entry;
    match what {
        DeviceEntryKind::Claim => format!("claimed {subject}"),
        DeviceEntryKind::Release => format!("published {subject}"),
        DeviceEntryKind::Mark => "withdrew a version, or undid that".to_owned(),
        DeviceEntryKind::Change => "changed profile, descriptions, ratings or lists".to_owned(),
        DeviceEntryKind::Keys => "changed devices or keys".to_owned(),
        DeviceEntryKind::GiveUp => "gave a name up, or took that back".to_owned(),
        DeviceEntryKind::Other => "wrote something that this version does not show".to_owned(),
    }
}

/// Whether revoking this device makes sense: another one that still acts.
pub fn can_be_revoked(row: &DeviceRow) -> bool {
    !row.this_device && row.state == gen_registry_api::DeviceState::Active
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_read_as_one_sentence() {
        let may = |may: DeviceCapabilities| format_capabilities(&may);
        assert_eq!(may(DeviceCapabilities::full()), "may do everything but change devices and keys");
        assert_eq!(may(DeviceCapabilities::default()), "may only read");
        let some = DeviceCapabilities {
            profile: true,
            publish: Some("crc*".to_owned()),
            chat: true,
            ..DeviceCapabilities::default()
        };
        assert_eq!(may(some), "may change the profile, publish crc*, chat");
    }

    #[test]
    fn rotations_are_counted_in_words() {
        let said = [0, 1, 2].map(format_rotations);
        assert_eq!(said, ["was never replaced", "was replaced once", "was replaced 2 times"]);
    }

    #[test]
    fn every_kind_of_entry_has_its_text() {
        let entry =
            |what| DeviceEntry { id: String::new(), at: None, what, subject: "rose".to_owned(), confirmed: true };
        assert_eq!(describe_entry(&entry(DeviceEntryKind::Claim)), "claimed rose");
        assert_eq!(describe_entry(&entry(DeviceEntryKind::Release)), "published rose");
        let others = [
            DeviceEntryKind::Mark,
            DeviceEntryKind::Change,
            DeviceEntryKind::Keys,
            DeviceEntryKind::GiveUp,
            DeviceEntryKind::Other,
        ];
        for what in others {
            assert!(!describe_entry(&entry(what)).contains("rose"), "{what:?}");
        }
    }
}
