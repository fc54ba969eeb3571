//! What commands print that need no cluster: their help, and what is wrong with what was asked for. `TRYCMD=overwrite`
//! keeps what they print now.

use cluster_tests::programs;
use trycmd::TestCases;
use trycmd::schema::Bin;

#[test]
fn help_and_errors_are_as_they_are_kept() {
    let cases = TestCases::new();
    cases.register_bin("demo", Bin::Path(programs::demo()));
    cases.case("cli/operate_*.trycmd");
}
