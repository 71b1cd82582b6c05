//! The native side of the shared verdicts.

#[path = "../shared/verdicts.rs"]
mod shared;

#[test]
fn the_native_program_comes_to_the_expected_verdicts() {
    assert_eq!(shared::verdicts(), shared::EXPECTED);
}
