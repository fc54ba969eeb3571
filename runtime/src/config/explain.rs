//! What each code means, and what to do: the text of docs/codes.md, which is a part of the program.

use super::finding::Code;

const CODES: &str = include_str!("codes.md");

impl Code {
    /// The code that a person means by `E012`, `w007` or `12`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim_start_matches(['E', 'e', 'W', 'w']);
        let number: u32 = digits.parse().ok()?;
        Self::ALL.iter().copied().find(|code| *code as u32 == number)
    }

    /// The code with its letter: `E012`, or `W022` where there is only a warning.
    pub fn label(self) -> String {
        let warns = matches!(self, Self::NoLinks | Self::FewDescriptors);
        format!("{}{:03}", if warns { 'W' } else { 'E' }, self as u32)
    }

    /// What it means, perhaps an example, and the cure, in Markdown without the heading.
    pub fn explanation(self) -> &'static str {
        let heading = format!("\n## {} {}\n", self.label(), self.title());
        let text = CODES.split_once(&heading).map_or("", |(_, after)| after);
        text.split("\n## ").next().unwrap_or_default().trim()
    }
}
