//! The macros' promises to a user's compiler: what passes, and where and how a mistake is told.
//!
//! After a wanted change of words: `TRYBUILD=overwrite cargo test -p lampyris --test ui`, and read the difference.

#[test]
fn what_is_right_compiles_and_what_is_wrong_is_told_at_its_place() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
