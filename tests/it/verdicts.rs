//! The native side of the shared verdicts.

#[path = "../support/verdicts.rs"]
mod shared;

#[test]
fn native_program_reaches_the_expected_verdicts() {
    assert_eq!(shared::verdicts(), shared::EXPECTED);
}
