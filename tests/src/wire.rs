//! Bytes on a TCP connection: requests and frames that no well-behaved client would send.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long an answer may take before a test gives up; far above what it takes.
const ANSWER: Duration = Duration::from_secs(20);
/// More than any answer that a test asks for.
const ANSWER_MAX: usize = 8 * 1024 * 1024;

/// An answer, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status; 0 where the connection was closed without an answer.
    pub status: u16,
    /// The header lines as they came, without the status line.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// Reads an answer that ends with the connection.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self { status: 0, headers: Vec::new(), body: Vec::new() });
        }
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").context("no head")?;
        let head = std::str::from_utf8(&bytes[..end])?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?;
        let headers = lines
            .map(|line| line.split_once(": ").map(|(name, value)| (name.into(), value.into())))
            .collect::<Option<_>>()
            .context("a header without a colon")?;
        Ok(Self { status: status.parse()?, headers, body: bytes[end + 4..].to_vec() })
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The problem's code.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// What two answers must share to be the same to the client: everything but the time and the
    /// request's own id.
    pub fn essence(&self) -> Self {
        let mut same = self.clone();
        same.headers.retain(|(name, _)| {
            !["date", "x-request-id"].contains(&name.to_ascii_lowercase().as_str())
        });
        same
    }

    /// All that came, as one text to search in.
    pub fn everything(&self) -> String {
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
        format!("{}{}", headers.collect::<String>(), String::from_utf8_lossy(&self.body))
    }
}

/// Sends a request's head and body as they are, with `Connection: close`, and reads the answer.
pub async fn request(
    address: &str,
    line: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Reply> {
    let mut bytes = format!("{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    bytes.push_str("\r\n");
    let mut bytes = bytes.into_bytes();
    bytes.extend_from_slice(body);
    exchange(address, &[&bytes]).await
}

/// Writes pieces one after the other, then reads until the server closes the connection.
pub async fn exchange(address: &str, pieces: &[&[u8]]) -> Result<Reply> {
    let mut stream = TcpStream::connect(address).await?;
    for piece in pieces {
        // A server that has answered already does not read on.
        if stream.write_all(piece).await.is_err() {
            break;
        }
    }
    let mut bytes = Vec::new();
    timeout(ANSWER, read_to_end(&mut stream, &mut bytes)).await.context("no answer")??;
    Reply::parse(&bytes)
}

async fn read_to_end(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<()> {
    loop {
        match stream.read_buf(bytes).await {
            // A reset follows an answer to a request that was not read to its end.
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) if bytes.len() > ANSWER_MAX => bail!("an answer without end"),
            Ok(_) => {}
        }
    }
}

/// A WebSocket below the frames' rules.
pub struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
    /// The answer to the handshake.
    pub answer: Reply,
}

impl Wire {
    /// Opens a socket with more headers than the handshake's own; the answer's status line and
    /// headers are checked to be a 101.
    pub async fn open(address: &str, headers: &[(&str, &str)]) -> Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        let mut head = format!(
            "GET /v1/ws HTTP/1.1\r\nhost: {address}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await?;
        let answer = Reply { status: 0, headers: Vec::new(), body: Vec::new() };
        let mut wire = Self { stream, read: Vec::new(), answer };
        let end = loop {
            if let Some(end) = wire.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if !wire.more().await? {
                bail!("closed in the handshake");
            }
        };
        let head: Vec<u8> = wire.read.drain(..end).collect();
        wire.answer = Reply::parse(&head)?;
        if wire.answer.status != 101 {
            bail!("{}", String::from_utf8_lossy(&head));
        }
        Ok(wire)
    }

    /// Sends bytes as they are.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Says that nothing more will be written.
    pub async fn half_close(&mut self) {
        // A connection that is gone already needs no ending.
        let _ = self.stream.shutdown().await;
    }

    /// Reads up to the close frame; the text frames before it and the close code, none where the
    /// connection ended without one.
    pub async fn closed(&mut self) -> Result<(Vec<Value>, Option<u16>)> {
        let mut frames = Vec::new();
        while let Some((opcode, payload)) = self.frame().await? {
            match opcode {
                1 => frames.push(serde_json::from_slice(&payload)?),
                8 => {
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    return Ok((frames, code));
                }
                _ => {}
            }
        }
        Ok((frames, None))
    }

    async fn frame(&mut self) -> Result<Option<(u8, Vec<u8>)>> {
        loop {
            if let Some((opcode, start, end)) = whole(&self.read) {
                let payload = self.read[start..end].to_vec();
                self.read.drain(..end);
                return Ok(Some((opcode, payload)));
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    async fn more(&mut self) -> Result<bool> {
        let read = timeout(ANSWER, self.stream.read_buf(&mut self.read));
        Ok(matches!(read.await.context("nothing came")?, Ok(read) if read > 0))
    }
}

/// The opcode and the place of the payload of the first frame, when it is there whole.
fn whole(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (start, length): (usize, usize) = match second & 0x7f {
        126 => (4_usize, usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)).ok()?),
        short => (2, usize::from(short)),
    };
    let end = start.checked_add(length)?;
    (bytes.len() >= end).then_some((first & 0x0f, start, end))
}

/// A frame as a client has to send it: masked.
pub fn frame(fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [7, 77, 177, 17];
    let mut bytes = head(fin, opcode, payload.len(), 0x80);
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A frame as only a server may send it: not masked.
pub fn unmasked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(true, opcode, payload.len(), 0);
    bytes.extend(payload);
    bytes
}

fn head(fin: bool, opcode: u8, length: usize, mask: u8) -> Vec<u8> {
    let mut bytes = vec![u8::from(fin) << 7 | opcode];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => bytes.push(mask | short),
        (_, Ok(middle)) => {
            bytes.push(mask | 126);
            bytes.extend(middle.to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_byte_for_byte() {
        let bytes = b"HTTP/1.1 404 Not Found\r\ndate: now\r\nallow: GET\r\n\r\n{\"code\":\"x\"}";
        let reply = Reply::parse(bytes).unwrap();
        assert_eq!((reply.status, reply.header("Allow")), (404, Some("GET")));
        assert_eq!(reply.code(), "x");
        assert_eq!(reply.essence().headers, [("allow".to_owned(), "GET".to_owned())]);
        assert!(reply.everything().contains("allow: GET"));
        assert_eq!(Reply::parse(b"").unwrap().status, 0);
    }

    #[test]
    fn frames_of_every_length_are_found_again() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let bytes = unmasked(1, &vec![b'x'; length]);
            let (opcode, start, end) = whole(&bytes).unwrap();
            assert_eq!((opcode, end - start, end), (1, length, bytes.len()));
            assert_eq!(whole(&bytes[..bytes.len() - 1]), None);
            assert_eq!(frame(true, 1, &vec![b'x'; length]).len(), bytes.len() + 4);
        }
    }
}
