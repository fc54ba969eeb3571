//! A finding as people see it: the line, a mark under the place, what was found and what is allowed.
//!
//! Passwords and secrets in the lines are covered, whether or not the text could be parsed.

use std::fmt::Write as _;

use super::finding::{Finding, Origin, Place, Severity, Stretch};

/// Longest piece of a line that is shown, in characters.
const MAX_SHOWN: usize = 110;

/// A longer line, in bytes, is not shown at all: nobody wrote it to be read.
const MAX_LINE: usize = 2000;

/// Widest line of the words below the picture.
const WRAP_AT: usize = 110;

/// What stands for a covered character.
const COVER: char = '*';

/// Whether the value of a key is nobody's business, or would be if the key were spelled well.
pub(super) fn is_sensitive(key: &str) -> bool {
    let key = key.to_lowercase();
    let names_one = ["secret", "pass", "pwd", "token"]
        .iter()
        .any(|word| key.contains(word));
    let nearly = || {
        ["secret", "passwd", "password"]
            .iter()
            .any(|word| strsim::damerau_levenshtein(&key, word) <= 2)
    };
    (names_one && !key.ends_with("_file")) || key == "url" || ((4..=10).contains(&key.len()) && nearly())
}

/// The finding in several lines, in the manner of rustc; `text` is that of the configuration file.
pub fn render_human(finding: &Finding, text: &str) -> String {
    let severity = match finding.severity {
        Severity::Fault => "error",
        Severity::Warning => "warning",
    };
    let key = if finding.key.is_empty() {
        String::new()
    } else {
        format!(": {}", printable(&finding.key))
    };
    let places = std::iter::once(&finding.place).chain(&finding.also);
    let last_line = places
        .filter_map(|place| place.stretch)
        .map(|at| at.line)
        .max()
        .unwrap_or(0);
    let gutter = last_line.to_string().len();

    let mut out = format!("{severity}[{}]: {}{key}\n", finding.code, finding.title);
    picture(&mut out, "-->", &finding.place, '^', text, gutter);
    for place in &finding.also {
        picture(&mut out, ":::", place, '-', text, gutter);
    }
    let notes = [
        ("found", Some(&finding.found)),
        ("allowed", Some(&finding.allowed)),
        ("help", finding.help.as_ref()),
    ];
    for (name, words) in notes {
        if let Some(words) = words.filter(|words| !words.is_empty()) {
            note(&mut out, gutter, name, words);
        }
    }
    out
}

/// The place, and the line in it when it is in the file.
fn picture(out: &mut String, arrow: &str, place: &Place, mark: char, text: &str, gutter: usize) {
    append(
        out,
        format_args!("{:gutter$}{arrow} {}\n", "", printable(&place.to_string())),
    );
    let (Some(at), Origin::File(_)) = (place.stretch, &place.origin) else {
        return;
    };
    let Some(line) = text
        .lines()
        .nth(at.line - 1)
        .filter(|line| line.len() <= MAX_LINE)
    else {
        return;
    };
    let (shown, indent, width) = window(&covered(line), at);
    append(out, format_args!("{:gutter$} |\n", ""));
    append(out, format_args!("{:>gutter$} | {shown}\n", at.line));
    append(
        out,
        format_args!(
            "{:gutter$} | {:indent$}{}\n",
            "",
            "",
            mark.to_string().repeat(width)
        ),
    );
}

/// The words after `name`, broken at blanks where they are long.
fn note(out: &mut String, gutter: usize, name: &str, words: &str) {
    let indent = gutter + name.len() + 5;
    append(out, format_args!("{:gutter$} = {name}: ", ""));
    let mut column = indent;
    for (at, word) in words.split(' ').enumerate() {
        let width = word.chars().count();
        if at > 0 && column + 1 + width > WRAP_AT {
            append(out, format_args!("\n{:indent$}{word}", ""));
            column = indent + width;
        } else {
            append(out, format_args!("{}{word}", if at > 0 { " " } else { "" }));
            column += width + usize::from(at > 0);
        }
    }
    out.push('\n');
}

fn append(out: &mut String, piece: std::fmt::Arguments<'_>) {
    out.write_fmt(piece)
        .expect("because writing to a String cannot fail");
}

/// The part of a line around a stretch, with tabs as four blanks; how far the mark is indented and how wide it is.
fn window(line: &str, at: Stretch) -> (String, usize, usize) {
    let from = if at.column > MAX_SHOWN / 2 {
        at.column - MAX_SHOWN / 4
    } else {
        1
    };
    let lead = if from > 1 { "…" } else { "" };
    let tail = if line.chars().count() >= from + MAX_SHOWN {
        "…"
    } else {
        ""
    };
    let piece: Vec<String> = line.chars().skip(from - 1).take(MAX_SHOWN).map(cell).collect();
    let width_of = |cells: &[String]| cells.iter().map(|cell| cell.chars().count()).sum::<usize>();
    let before = (at.column - from).min(piece.len());
    let marked = (before + at.width).min(piece.len());
    let indent = lead.chars().count() + width_of(&piece[..before]);
    (
        format!("{lead}{}{tail}", piece.concat()),
        indent,
        width_of(&piece[before..marked]).max(1),
    )
}

fn cell(character: char) -> String {
    match character {
        '\t' => "    ".to_owned(),
        // Marks that cannot be seen, or that turn the direction of what follows.
        '\u{feff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => "\u{fffd}".to_owned(),
        c if c.is_control() => "\u{fffd}".to_owned(),
        c => c.to_string(),
    }
}

fn printable(text: &str) -> String {
    text.chars().map(cell).collect()
}

/// The line with the values of sensitive keys covered, character by character, so that columns stay.
fn covered(line: &str) -> String {
    let characters: Vec<char> = line.chars().collect();
    let mut shown = characters.clone();
    let mut at = 0;
    while at < characters.len() {
        let word_end = end_of(&characters, at, |c| c.is_alphanumeric() || c == '_' || c == '-');
        if word_end == at {
            at += 1;
            continue;
        }
        let word: String = characters[at..word_end].iter().collect();
        at = word_end;
        if let Some((begin, end)) = value_after(&characters, word_end)
            && is_sensitive(&word)
        {
            shown[begin..end].fill(COVER);
            at = end;
        }
    }
    shown.into_iter().collect()
}

/// Begin and end of the text after a key that ends at `at`: behind `:` or `=`, without its quotation marks.
fn value_after(line: &[char], at: usize) -> Option<(usize, usize)> {
    let at = end_of(line, at, |c| c == '"' || c == '\'' || c.is_whitespace());
    let colon = line.get(at).filter(|c| matches!(c, ':' | '='))?;
    let at = end_of(line, at + 1, |c| c.is_whitespace());
    let Some(quote) = line.get(at).copied().filter(|c| matches!(c, '"' | '\'')) else {
        // Neither a text nor sound: as far as a value can reach.
        let end = end_of(line, at, |c| !matches!(c, ',' | '}' | ']' | '{' | '['));
        return (*colon == '=' || end > at).then_some((at, end));
    };
    let begin = end_of(line, at, |c| c == quote);
    if begin - at == 2 {
        return Some((begin, begin));
    }
    let mut end = begin;
    while end < line.len() && line[end] != quote {
        end += if line[end] == '\\' { 2 } else { 1 };
    }
    Some((begin, end.min(line.len())))
}

fn end_of(line: &[char], from: usize, belongs: impl Fn(char) -> bool) -> usize {
    line[from..]
        .iter()
        .position(|c| !belongs(*c))
        .map_or(line.len(), |steps| from + steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_covered_in_any_text() {
        assert_eq!(
            covered(r#"{"secret": "hunter2", "a": 1}"#),
            r#"{"secret": "*******", "a": 1}"#
        );
        assert_eq!(covered(r#"passwd="a\"b",x"#), r#"passwd="****",x"#);
        assert_eq!(covered("url = 'mysql://u:p@h'"), "url = '*************'");
        assert_eq!(
            covered(r#"{"secret": "never closed"#),
            r#"{"secret": "************"#
        );
        assert_eq!(covered("secret: hunter2, x"), "secret: *******, x");
        assert_eq!(covered(r#"{"secret_file": "x"}"#), r#"{"secret_file": "x"}"#);
        assert_eq!(
            covered(r#"{"secret": {"passwd": "p"}}"#),
            r#"{"secret": {"passwd": "*"}}"#
        );
        assert_eq!(covered(r#"secret = """abc"""#), r#"secret = """***"""#);
        assert_eq!(covered(r#""secret": """#), r#""secret": """#);
        assert_eq!(covered("seceret = 'x'"), "seceret = '*'");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = format!("{}x{}", "a".repeat(500), "b".repeat(500));
        let (shown, indent, width) = window(
            &line,
            Stretch {
                line: 1,
                column: 501,
                width: 1,
            },
        );
        assert_eq!(shown.chars().count(), MAX_SHOWN + 2);
        assert_eq!((shown.chars().nth(indent), width), (Some('x'), 1));
        let (shown, indent, _) = window(
            "\tx",
            Stretch {
                line: 1,
                column: 2,
                width: 1,
            },
        );
        assert_eq!((shown.as_str(), indent), ("    x", 4));
    }

    #[test]
    fn places_outside_the_line_do_no_harm() {
        for (column, width) in [(1, 1), (3, 9), (400, 400)] {
            let (_, _, shown) = window(
                "ab",
                Stretch {
                    line: 1,
                    column,
                    width,
                },
            );
            assert!(shown >= 1);
        }
    }
}
