//! Lines for the person or program at the other end of standard output and standard error.

/// Prints a result. A reader that is gone is no reason to fail.
pub(crate) fn print_line(text: &str) {
    drop(std::io::Write::write_fmt(
        &mut std::io::stdout(),
        format_args!("{text}\n"),
    ));
}

/// Prints a message.
pub(crate) fn eprint_line(text: &str) {
    drop(std::io::Write::write_fmt(
        &mut std::io::stderr(),
        format_args!("{text}\n"),
    ));
}
