//! Fresh inputs from known ones: pieces that are changed, cut, doubled, joined. The same seed gives the same inputs.

/// Numbers at which readers of lengths go wrong.
const EDGES: [u32; 12] = [
    0,
    1,
    3,
    4,
    127,
    128,
    255,
    65_535,
    65_536,
    1 << 31,
    u32::MAX - 1,
    u32::MAX,
];

/// Longest input.
const LONGEST: usize = 128 * 1024;

/// Draws numbers and inputs.
#[derive(Debug, Clone)]
pub struct Mutator(u64);

impl Mutator {
    /// One that will always draw the same.
    pub const fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    /// Any number (xorshift64*).
    pub const fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.number() % end).unwrap_or_default()
    }

    /// Any bytes, `length` of them.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.number().to_be_bytes()[0]).collect()
    }

    /// An input like some of those that are known, or like none.
    pub fn input(&mut self, known: &[Vec<u8>]) -> Vec<u8> {
        if known.is_empty() || self.below(16) == 0 {
            let length = self.below(512);
            return self.bytes(length);
        }
        let mut input = known[self.below(known.len())].clone();
        for _ in 0..=self.below(6) {
            let other = &known[self.below(known.len())];
            self.change(&mut input, other);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(input.len());
        let end = at + self.below((input.len() - at).min(64) + 1);
        match self.below(9) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.number().to_be_bytes()[0],
            2 => input.truncate(at),
            3 => drop(input.drain(at..end)),
            4 => {
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            5 => {
                let edge = EDGES[self.below(EDGES.len())].to_be_bytes();
                let skip = [0, 2, 3][self.below(3)];
                let field = &edge[skip..];
                let over = (at + field.len()).min(input.len());
                input.splice(at..over, field.iter().copied());
            }
            6 => {
                let from = self.below(other.len());
                let to = from + self.below((other.len() - from).min(256) + 1);
                input.splice(at..at, other[from..to].iter().copied());
            }
            7 => {
                let length = self.below(16);
                let fresh = self.bytes(length);
                input.splice(at..at, fresh);
            }
            _ => {
                let piece = input[at..end].repeat(self.below(40));
                input.splice(at..at, piece);
            }
        }
    }
}
