//! The exit codes of all roles and commands, as docs/cli.md lists them. From 70 on they are those of sysexits.h.

/// It was refused, or has failed; of a master or node: not everything has ended in order.
pub(crate) const FAILED: u8 = 1;
/// The arguments make no sense.
pub(crate) const USAGE: u8 = 2;
/// No master answers.
pub(crate) const NOT_RUNNING: u8 = 3;
/// Not all is as it should be, or not everything could be done.
pub(crate) const DEGRADED: u8 = 4;
/// The handler of a call answered with an error.
pub(crate) const HANDLER_ERROR: u8 = 5;
/// No answer in time, or no way to where it should come from.
pub(crate) const UNREACHABLE: u8 = 6;
/// A fault of the program itself.
pub(crate) const SOFTWARE: u8 = 70;
/// The operating system refused something.
pub(crate) const OSERR: u8 = 71;
/// A port, file or folder is not to be had.
pub(crate) const CANTCREAT: u8 = 73;
/// Another attempt may help.
pub(crate) const TEMPFAIL: u8 = 75;
/// The secret or token cannot be read, or is not good for this.
pub(crate) const NOPERM: u8 = 77;
/// The configuration cannot be used.
pub(crate) const CONFIG: u8 = 78;
/// Ended by a second signal, as a shell tells of Ctrl-C.
pub(crate) const INSISTED: u8 = 130;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_documented_list() {
        let text = include_str!("../../docs/cli.md");
        let (_, list) = text.split_once("## Exit codes").unwrap();
        let row = |line: &str| line.strip_prefix("| ")?.split(' ').next()?.parse::<u8>().ok();
        let listed: Vec<u8> = list.lines().filter_map(row).collect();
        let all = [
            FAILED,
            USAGE,
            NOT_RUNNING,
            DEGRADED,
            HANDLER_ERROR,
            UNREACHABLE,
            SOFTWARE,
            OSERR,
            CANTCREAT,
            TEMPFAIL,
            NOPERM,
            CONFIG,
            INSISTED,
        ];
        for code in all {
            assert!(listed.contains(&code), "{code} is not among {listed:?}");
        }
    }
}
