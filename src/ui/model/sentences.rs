//! Reasons and rejections in sentences for people. What they are is decided elsewhere; here they are only worded.

use gen_registry_api::{HoldReason, LossReason, ParametersError, Rejection, ReleaseRefusal};
use serde::Deserialize;

/// Why a claim does not hold its name.
pub fn describe_loss(reason: LossReason) -> &'static str {
    match reason {
        LossReason::Pending => "Not enough of the network's witnesses have signed it yet.",
        LossReason::NotConfirmed => "The other claim is confirmed by the network's witnesses; this one is not.",
        LossReason::ClaimedLater => {
            "The other claim carries the earlier date, or of two with one date the smaller number."
        }
        LossReason::Withdrawn => "It was taken back, so that another claim could be confirmed.",
        LossReason::OtherPlace => "It was made for another time of the name than the present one.",
        LossReason::Contested => "Another claim is confirmed as well: witnesses of the network contradict themselves.",
        LossReason::AlreadyHeld => "Somebody else had claimed it before.",
    }
}

/// Why the holder holds the name.
pub fn describe_hold(reason: HoldReason) -> &'static str {
    match reason {
        HoldReason::Confirmed => "The network's witnesses have confirmed this claim.",
        HoldReason::EarliestDate => "This claim carries the earliest date of all that are known here.",
        HoldReason::KnownBefore => "Two claims are confirmed. This device knew this one before the other.",
        HoldReason::NoRival => "No other claim of this name is known here.",
    }
}

/// Why a release does not count.
pub fn describe_refusal(why: ReleaseRefusal) -> &'static str {
    match why {
        ReleaseRefusal::NotHolder => "Its author does not hold this module's name.",
        ReleaseRefusal::Unconfirmed => {
            "Not enough of the network's witnesses have signed it yet. It can be installed by its exact version only."
        }
        ReleaseRefusal::VersionTaken => "Another release of this version was first; no version is replaced.",
    }
}

/// A rule that a peer broke, without a capital and a full stop.
pub fn describe_rejection(rejection: Rejection) -> String {
    rejection.to_string()
}

/// Why what the page's server says of its network is left aside, as half a sentence about that server.
pub fn describe_parameters_error(error: ParametersError) -> String {
    error.to_string()
}

/// Any reason that the script interface returns. No two kinds share a code.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Explainable {
    Loss(LossReason),
    Refusal(ReleaseRefusal),
    Rejection(Rejection),
    Parameters(ParametersError),
}

/// Any reason as a sentence or, of rejections and parameters, a part of one.
pub fn explain(reason: Explainable) -> String {
    match reason {
        Explainable::Loss(reason) => describe_loss(reason).to_owned(),
        Explainable::Refusal(reason) => describe_refusal(reason).to_owned(),
        Explainable::Rejection(rejection) => describe_rejection(rejection),
        Explainable::Parameters(error) => describe_parameters_error(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_api::DecodeError;

    fn explained(json: &str) -> Result<String, serde_json::Error> {
        serde_json::from_str(json).map(explain)
    }

    #[test]
    fn codes_of_every_kind_are_explained() {
        for (code, part) in [
            (r#""claimedLater""#, "earlier date"),
            (r#""versionTaken""#, "no version is replaced"),
            (r#""tooManyHeartbeats""#, "too many heartbeats"),
            (r#"{"malformed":"leftOver"}"#, "left over"),
            (r#"{"malformed":{"unknownKind":7}}"#, "unknown kind 7"),
            (r#"{"behind":{"served":1,"known":3}}"#, "this device knows 3"),
            (
                r#"{"otherNetwork":{"name":"Ours","topic":"0123456789abcdef"}}"#,
                "another network, “Ours” (0123456789ab…)",
            ),
        ] {
            let sentence = explained(code).unwrap();
            assert!(sentence.contains(part), "{code}: {sentence}");
        }
        for unknown in [r#""""#, r#""claimed later""#, "1", "null", r#"{"malformed":"no"}"#] {
            assert!(explained(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn no_code_means_two_things() {
        let codes = |json: &str, kinds: &mut Vec<&'static str>| {
            let parse = [
                ("loss", serde_json::from_str::<LossReason>(json).is_ok()),
                ("refusal", serde_json::from_str::<ReleaseRefusal>(json).is_ok()),
                ("rejection", serde_json::from_str::<Rejection>(json).is_ok()),
                ("parameters", serde_json::from_str::<ParametersError>(json).is_ok()),
            ];
            kinds.extend(parse.into_iter().filter(|(_, parsed)| *parsed).map(|(kind, _)| kind));
        };
        let malformed = Rejection::Malformed(DecodeError::TooShort);
        for json in [
            serde_json::to_string(&LossReason::Withdrawn).unwrap(),
            serde_json::to_string(&ReleaseRefusal::VersionTaken).unwrap(),
            serde_json::to_string(&Rejection::Comparison).unwrap(),
            serde_json::to_string(&malformed).unwrap(),
            serde_json::to_string(&ParametersError::Genesis).unwrap(),
            serde_json::to_string(&ParametersError::TooMuch).unwrap(),
        ] {
            let mut kinds = Vec::new();
            codes(&json, &mut kinds);
            assert_eq!(kinds.len(), 1, "{json} is {kinds:?}");
        }
    }
}
