//! Colours of a terminal, for the few words that shall be seen first.

/// A colour, or the lack of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Red,
    Yellow,
    Green,
}

impl Paint {
    /// The word in this colour, if colours are `wanted`.
    pub(super) fn word(self, word: &str, wanted: bool) -> String {
        let number = match self {
            Self::Red => 31,
            Self::Yellow => 33,
            Self::Green => 32,
        };
        match wanted {
            true => format!("\x1b[1;{number}m{word}\x1b[0m"),
            false => word.to_owned(),
        }
    }
}
