use super::DecodeError;

/// The longest header of a masked frame: 2 bytes, a length of 8, a mask of 4.
pub(super) const MAX_HEADER: usize = 14;

/// The longest payload of a control frame (RFC 6455 section 5.5).
pub(super) const MAX_CONTROL: usize = 125;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Close,
    Ping,
    Pong,
}

/// A client's frame header (RFC 6455 section 5.2), valid in itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub fin: bool,
    pub opcode: Opcode,
    pub length: u64,
    pub mask: [u8; 4],
}

impl Header {
    /// Reads a header and tells how many bytes it took, or `None` when `bytes` end inside it.
    ///
    /// The first two bytes are judged as soon as they are there.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (fin, opcode) = first_byte(*first)?;
        if second & 0x80 == 0 {
            return Err(DecodeError::Unmasked);
        }
        let short = second & 0x7f;
        if opcode.is_control() {
            if !fin {
                return Err(DecodeError::ControlFragmented);
            }
            if usize::from(short) > MAX_CONTROL {
                return Err(DecodeError::ControlTooLong);
            }
        }
        let Some((length, rest)) = length(short, rest)? else { return Ok(None) };
        let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        Ok(Some((Self { fin, opcode, length, mask: *mask }, bytes.len() - rest.len())))
    }
}

impl Opcode {
    pub(super) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

fn first_byte(byte: u8) -> Result<(bool, Opcode), DecodeError> {
    if byte & 0x70 != 0 {
        return Err(DecodeError::ReservedBits);
    }
    let opcode = match byte & 0x0f {
        0x0 => Opcode::Continuation,
        0x1 => Opcode::Text,
        0x2 => return Err(DecodeError::Binary),
        0x8 => Opcode::Close,
        0x9 => Opcode::Ping,
        0xa => Opcode::Pong,
        reserved => return Err(DecodeError::ReservedOpcode(reserved)),
    };
    Ok((byte & 0x80 != 0, opcode))
}

/// The payload's length and what follows it; only the shortest form is valid.
fn length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, DecodeError> {
    let (length, least, rest) = match short {
        126 => match rest.split_first_chunk::<2>() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), 126, rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((length, rest)) => (u64::from_be_bytes(*length), 0x1_0000, rest),
            None => return Ok(None),
        },
        short => (u64::from(short), 0, rest),
    };
    if length < least || length > u64::MAX >> 1 {
        return Err(DecodeError::LengthEncoding);
    }
    Ok(Some((length, rest)))
}

#[cfg(test)]
mod tests {
    use super::{DecodeError, Header, Opcode};

    const MASK: [u8; 4] = [1, 2, 3, 4];

    fn parse(head: &[u8]) -> Result<Option<(Header, usize)>, DecodeError> {
        Header::parse(&[head, &MASK].concat())
    }

    #[test]
    fn the_three_forms_of_length_are_read() {
        let forms: [(&[u8], u64); 6] = [
            (&[0x81, 0x80], 0),
            (&[0x81, 0x80 | 125], 125),
            (&[0x81, 0xfe, 0, 126], 126),
            (&[0x81, 0xfe, 0xff, 0xff], 65_535),
            (&[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0], 65_536),
            (&[0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255], u64::MAX >> 1),
        ];
        for (head, length) in forms {
            let header = Header { fin: true, opcode: Opcode::Text, length, mask: MASK };
            assert_eq!(parse(head), Ok(Some((header, head.len() + 4))));
            let whole = [head, &MASK].concat();
            for cut in 0..whole.len() {
                assert_eq!(Header::parse(&whole[..cut]), Ok(None));
            }
        }
    }

    #[test]
    fn a_length_that_is_not_minimal_or_has_its_high_bit_is_refused() {
        let bad: [&[u8]; 4] = [
            &[0x81, 0xfe, 0, 125],
            &[0x81, 0xfe, 0, 0],
            &[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            &[0x81, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0],
        ];
        for head in bad {
            assert_eq!(parse(head), Err(DecodeError::LengthEncoding), "{head:?}");
        }
    }

    #[test]
    fn the_first_two_bytes_are_judged_at_once() {
        let bad = [
            ([0x81, 0x05], DecodeError::Unmasked),
            ([0xc1, 0x85], DecodeError::ReservedBits),
            ([0xa1, 0x85], DecodeError::ReservedBits),
            ([0x91, 0x85], DecodeError::ReservedBits),
            ([0x82, 0x85], DecodeError::Binary),
            ([0x02, 0x85], DecodeError::Binary),
            ([0x09, 0x80], DecodeError::ControlFragmented),
            ([0x08, 0x80], DecodeError::ControlFragmented),
            ([0x89, 0xfe], DecodeError::ControlTooLong),
            ([0x88, 0xff], DecodeError::ControlTooLong),
        ];
        for (head, error) in bad {
            assert_eq!(Header::parse(&head), Err(error), "{head:?}");
        }
        for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
            let parsed = Header::parse(&[0x80 | opcode, 0x80]);
            assert_eq!(parsed, Err(DecodeError::ReservedOpcode(opcode)));
        }
    }

    #[test]
    fn opcodes_and_fin_are_read() {
        for (byte, opcode) in [
            (0x80, Opcode::Continuation),
            (0x81, Opcode::Text),
            (0x88, Opcode::Close),
            (0x89, Opcode::Ping),
            (0x8a, Opcode::Pong),
        ] {
            let header = Header { fin: true, opcode, length: 0, mask: MASK };
            assert_eq!(parse(&[byte, 0x80]), Ok(Some((header, 6))));
        }
        assert!(parse(&[0x01, 0x80]).unwrap().is_some_and(|(header, _)| !header.fin));
    }
}
