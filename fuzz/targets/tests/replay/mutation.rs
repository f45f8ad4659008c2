//! Small changes of an input, drawn from a fixed seed: the same ones for ever.
//!
//! They find little that libFuzzer does not; they keep the targets alive where there is none.

/// What readers of numbers, names and texts stumble over.
const AWKWARD: [&[u8]; 20] = [
    b"0",
    b"-1",
    b"1e309",
    b"18446744073709551615",
    b"9223372036854775808",
    b"4294967296",
    b"null",
    b"\"\"",
    b"{}",
    b"[",
    b"\\ud800",
    b"\xff",
    b"\0",
    b"\r\n\r\n",
    b"\n",
    b"../",
    b"<i>&amp;\"'",
    "안녕\u{202e}".as_bytes(),
    b",",
    b"=",
];

/// Mutations of one input, without an end.
pub(crate) struct Mutations<'a> {
    state: u64,
    input: &'a [u8],
    others: &'a [&'a [u8]],
}

impl<'a> Mutations<'a> {
    pub(crate) fn new(seed: u64, input: &'a [u8], others: &'a [&'a [u8]]) -> Self {
        Self { state: seed, input, others }
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn next_number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, and 0 where there is none.
    fn below(&mut self, limit: usize) -> usize {
        (self.next_number() % limit.max(1) as u64) as usize
    }

    /// A place of the input and a later one, most often near it.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let start = self.below(length + 1);
        let longest = if self.below(4) == 0 { length } else { 16 };
        let end = start + self.below(longest + 1);
        (start, end.min(length))
    }

    /// A number in the input, as the range of its digits.
    fn number(&mut self, bytes: &[u8]) -> Option<(usize, usize)> {
        let starts: Vec<_> = (0..bytes.len())
            .filter(|at| bytes[*at].is_ascii_digit())
            .filter(|at| *at == 0 || !bytes[at - 1].is_ascii_digit())
            .collect();
        let start = *starts.get(self.below(starts.len()))?;
        let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        Some((start, start + digits))
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let (start, end) = self.range(bytes.len());
        match self.below(7) {
            0 => {
                if let Some(byte) = bytes.get_mut(start) {
                    *byte ^= 1 << (self.next_number() % 8);
                }
            }
            1 => drop(bytes.drain(start..end)),
            2 => {
                let again = bytes[start..end].to_vec();
                drop(bytes.splice(start..start, again));
            }
            3 => {
                let awkward = AWKWARD[self.below(AWKWARD.len())];
                drop(bytes.splice(start..end, awkward.iter().copied()));
            }
            4 => {
                let other = self.others[self.below(self.others.len())];
                let (from, to) = self.range(other.len());
                drop(bytes.splice(start..end, other[from..to].iter().copied()));
            }
            5 => bytes.truncate(end),
            _ => {
                if let Some((start, end)) = self.number(bytes) {
                    let awkward = AWKWARD[self.below(6)];
                    drop(bytes.splice(start..end, awkward.iter().copied()));
                }
            }
        }
    }
}

impl Iterator for Mutations<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut mutant = self.input.to_vec();
        for _ in 0..1 + self.below(3) {
            self.change(&mut mutant);
        }
        Some(mutant)
    }
}
