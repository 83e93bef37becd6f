use std::io;

use bytes::Bytes;

use super::CloseCode;
use super::header::MAX_CONTROL;

/// The longest header of an unmasked frame: 2 bytes and a length of 8.
const RESERVED: usize = 10;

const FIN_TEXT: u8 = 0x81;
const FIN_CLOSE: u8 = 0x88;
const FIN_PING: u8 = 0x89;
const FIN_PONG: u8 = 0x8a;

/// A ping without payload: static, so that pinging a socket allocates nothing.
pub const PING: Bytes = Bytes::from_static(&[FIN_PING, 0]);

/// A text frame in the making: what is written becomes the payload of one unmasked frame.
///
/// Space for the longest header is kept free in front, so that JSON is serialised straight into the
/// frame and all sockets share the same bytes. Its length is not bounded here: whoever writes keeps
/// to the bound of a message (128 KiB). That the payload is UTF-8 is also the writer's part.
///
/// ```
/// use std::io::Write;
/// let mut frame = verbatim_gateway::codec::TextFrame::with_capacity(16);
/// frame.write_all(br#"{"type":"ack"}"#)?;
/// assert_eq!(&frame.finish()[..2], &[0x81, 14]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TextFrame {
    buffer: Vec<u8>,
}

impl TextFrame {
    /// An empty frame with space for `payload` bytes; it grows where that was too little.
    #[must_use]
    pub fn with_capacity(payload: usize) -> Self {
        let mut buffer = Vec::with_capacity(RESERVED + payload);
        buffer.resize(RESERVED, 0);
        Self { buffer }
    }

    /// Appends to the payload.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes of payload so far.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        self.buffer.len() - RESERVED
    }

    /// The frame: header and payload in one piece, without a copy of the payload.
    ///
    /// Only where the space is more than twice what was used it is given back, so that a backlog
    /// that is counted in bytes does not hold a multiple of its bound.
    #[must_use]
    pub fn finish(mut self) -> Bytes {
        let (header, length) = header(FIN_TEXT, self.payload_len());
        let start = RESERVED - length;
        self.buffer[start..RESERVED].copy_from_slice(&header[..length]);
        if self.buffer.capacity() / 2 > self.buffer.len() {
            self.buffer.shrink_to_fit();
        }
        Bytes::from(self.buffer).slice(start..)
    }
}

impl Default for TextFrame {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

/// For `serde_json::to_writer`; writing never fails.
impl io::Write for TextFrame {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.push(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text frame of a payload that already exists; copies it once. See [`TextFrame`].
#[must_use]
pub fn encode_text(payload: &[u8]) -> Bytes {
    encode(FIN_TEXT, &[payload])
}

/// A ping (RFC 6455 section 5.5.2). A payload above 125 bytes is cut.
#[must_use]
pub fn encode_ping(payload: &[u8]) -> Bytes {
    encode(FIN_PING, &[&payload[..payload.len().min(MAX_CONTROL)]])
}

/// The answer to a ping, with the ping's payload (section 5.5.3). A payload above 125 bytes is cut.
#[must_use]
pub fn encode_pong(payload: &[u8]) -> Bytes {
    if payload.is_empty() {
        return Bytes::from_static(&[FIN_PONG, 0]);
    }
    encode(FIN_PONG, &[&payload[..payload.len().min(MAX_CONTROL)]])
}

/// A close frame (section 5.5.1). A reason above 123 bytes is cut between characters.
///
/// `None` is the frame without a body, which answers a close that had none.
#[must_use]
pub fn encode_close(code: Option<CloseCode>, reason: &str) -> Bytes {
    let Some(code) = code else { return Bytes::from_static(&[FIN_CLOSE, 0]) };
    let mut end = reason.len().min(MAX_CONTROL - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = &reason[..end];
    encode(FIN_CLOSE, &[&code.get().to_be_bytes(), reason.as_bytes()])
}

fn encode(first: u8, payload: &[&[u8]]) -> Bytes {
    let payload_len = payload.iter().map(|part| part.len()).sum();
    let (header, length) = header(first, payload_len);
    let mut frame = Vec::with_capacity(length + payload_len);
    frame.extend_from_slice(&header[..length]);
    for part in payload {
        frame.extend_from_slice(part);
    }
    Bytes::from(frame)
}

/// An unmasked header with the length in its shortest form, and how many bytes it has.
fn header(first: u8, payload: usize) -> ([u8; RESERVED], usize) {
    let mut header = [0; RESERVED];
    header[0] = first;
    let used = match (u8::try_from(payload), u16::try_from(payload)) {
        (Ok(length @ ..=125), _) => {
            header[1] = length;
            2
        }
        (_, Ok(length)) => {
            header[1] = 126;
            header[2..4].copy_from_slice(&length.to_be_bytes());
            4
        }
        _ => {
            header[1] = 127;
            header[2..].copy_from_slice(&(payload as u64).to_be_bytes());
            RESERVED
        }
    };
    (header, used)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{CloseCode, PING, TextFrame, encode_close, encode_ping, encode_pong, encode_text};

    #[test]
    fn lengths_take_their_shortest_form() {
        let forms: [(usize, &[u8]); 7] = [
            (0, &[0x81, 0]),
            (1, &[0x81, 1]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65_535, &[0x81, 126, 0xff, 0xff]),
            (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
            (131_072, &[0x81, 127, 0, 0, 0, 0, 0, 2, 0, 0]),
        ];
        for (length, header) in forms {
            let payload = vec![b'x'; length];
            let expected = [header, &payload].concat();
            assert_eq!(encode_text(&payload), expected);
            let mut frame = TextFrame::default();
            frame.write_all(&payload).unwrap();
            assert_eq!(frame.payload_len(), length);
            assert_eq!(frame.finish(), expected);
        }
    }

    #[test]
    fn a_finished_text_frame_is_not_copied() {
        let mut frame = TextFrame::with_capacity(300);
        frame.push(&[b'x'; 300]);
        let payload = frame.buffer[10..].as_ptr();
        assert_eq!(frame.finish()[4..].as_ptr(), payload);
    }

    #[test]
    fn space_that_was_not_used_is_given_back() {
        let mut frame = TextFrame::with_capacity(4096);
        frame.push(b"{}");
        let frame = frame.finish();
        assert_eq!(frame, &b"\x81\x02{}"[..]);
        assert!(bytes::BytesMut::from(frame).capacity() < 64);
    }

    #[test]
    fn control_frames_stay_within_125_bytes() {
        assert_eq!(PING, &[0x89, 0][..]);
        assert_eq!(encode_ping(b"a"), &[0x89, 1, b'a'][..]);
        assert_eq!(encode_pong(b""), &[0x8a, 0][..]);
        assert_eq!(encode_pong(b"ab"), &[0x8a, 2, b'a', b'b'][..]);
        assert_eq!(encode_pong(&[7; 200]).len(), 2 + 125);
        assert_eq!(encode_ping(&[7; 200])[1], 125);
    }

    #[test]
    fn a_close_frame_has_its_code_and_as_much_of_the_reason_as_fits() {
        assert_eq!(encode_close(None, "unused"), &[0x88, 0][..]);
        let restart = encode_close(Some(CloseCode::RESTART), "later");
        assert_eq!(restart, &b"\x88\x07\x03\xf4later"[..]);
        let long = encode_close(Some(CloseCode::NORMAL), &"é".repeat(100));
        assert_eq!(long.len(), 2 + 2 + 122);
        assert!(std::str::from_utf8(&long[4..]).is_ok());
    }
}
