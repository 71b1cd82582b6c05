//! What the page knows of a stored key that can't be used.

use gen_registry_api::{Me, Status};

/// The table of keys, as reports name it.
pub const KEYS: &str = "keys";
/// The identity's key in it.
const IDENTITY: &str = "identity";

/// Whether the identity's key was set aside as damaged and there is no other yet.
pub fn is_key_damaged(status: Option<&Status>, me: Option<&Me>) -> bool {
    let is_aside = status
        .is_some_and(|status| status.quarantined.iter().any(|record| record.table == KEYS && record.key == IDENTITY));
    is_aside && me.is_some_and(|me| me.did.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_api::QuarantinedRecord;

    #[test]
    fn a_damaged_key_is_spoken_of_until_there_is_an_identity() {
        let record = |table: &str, key: &str| QuarantinedRecord {
            table: table.to_owned(),
            key: key.to_owned(),
            reason: String::new(),
            at: 0,
        };
        let status = |records: Vec<QuarantinedRecord>| Status { quarantined: records, ..Status::default() };
        let nobody = Me::default();
        let somebody = Me { did: Some("did:gen:z1".to_owned()), ..Me::default() };
        let damaged = status(vec![record("people", "identity"), record("keys", "identity")]);
        assert!(is_key_damaged(Some(&damaged), Some(&nobody)));
        assert!(!is_key_damaged(Some(&damaged), Some(&somebody)));
        assert!(!is_key_damaged(Some(&damaged), None), "nothing is known of the identity yet");
        let others = status(vec![record("people", "identity"), record("keys", "node")]);
        assert!(!is_key_damaged(Some(&others), Some(&nobody)));
    }
}
