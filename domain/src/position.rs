//! Positions: how far into `chat.events` something reaches, for read-your-writes (G5).

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use verbatim_schemas::{Src, bounds};

/// Per partition, the offset up to which (inclusive) something is included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position {
    /// The layout of partitions that the offsets belong to.
    pub generation: u32,
    /// By partition; a partition that is not named is included up to nowhere.
    pub offsets: BTreeMap<u32, u64>,
}

/// A text that is no position token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a position token")]
pub struct BadPosition;

impl Position {
    /// The position of one record.
    pub fn at(src: Src) -> Self {
        Self { generation: src.generation, offsets: BTreeMap::from([(src.partition, src.offset)]) }
    }

    /// Moves on to include a record.
    pub fn include(&mut self, src: Src) {
        self.generation = src.generation;
        let offset = self.offsets.entry(src.partition).or_insert(src.offset);
        *offset = (*offset).max(src.offset);
    }

    /// Moves on to include another position.
    pub fn merge(&mut self, other: &Position) {
        self.generation = self.generation.max(other.generation);
        for (partition, offset) in &other.offsets {
            let mine = self.offsets.entry(*partition).or_insert(*offset);
            *mine = (*mine).max(*offset);
        }
    }

    /// Whether everything that `other` includes is included here too.
    pub fn covers(&self, other: &Position) -> bool {
        other.offsets.iter().all(|(partition, offset)| {
            self.offsets.get(partition).is_some_and(|mine| mine >= offset)
        })
    }

    /// Whether a record is included.
    pub fn includes(&self, src: Src) -> bool {
        self.offsets.get(&src.partition).is_some_and(|offset| *offset >= src.offset)
    }

    /// The part of one partition.
    pub fn only(&self, partition: u32) -> Self {
        let offsets = self.offsets.get(&partition).map(|offset| (partition, *offset));
        Self { generation: self.generation, offsets: offsets.into_iter().collect() }
    }

    /// The token: opaque to clients, URL-safe, at most 1 KiB for up to 64 partitions.
    pub fn token(&self) -> String {
        let mut bytes = vec![1];
        write_varint(&mut bytes, u64::from(self.generation));
        for (partition, offset) in &self.offsets {
            write_varint(&mut bytes, u64::from(*partition));
            write_varint(&mut bytes, *offset);
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token. A forged one is either refused here or leads to a bounded wait.
    pub fn parse(token: &str) -> Result<Self, BadPosition> {
        if token.len() > bounds::POSITION_BYTES {
            return Err(BadPosition);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| BadPosition)?;
        let mut bytes = bytes.as_slice();
        let small = |number: u64| u32::try_from(number).map_err(|_| BadPosition);
        if read_varint(&mut bytes)? != 1 {
            return Err(BadPosition);
        }
        let generation = small(read_varint(&mut bytes)?)?;
        let mut offsets = BTreeMap::new();
        while !bytes.is_empty() {
            let partition = small(read_varint(&mut bytes)?)?;
            if offsets.insert(partition, read_varint(&mut bytes)?).is_some() {
                return Err(BadPosition);
            }
        }
        Ok(Self { generation, offsets })
    }
}

/// LEB128.
fn write_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Result<u64, BadPosition> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(BadPosition)?;
        *bytes = rest;
        let low = u64::from(byte & 0x7f);
        if shift == 63 && low > 1 {
            return Err(BadPosition);
        }
        number |= low << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(BadPosition)
}

#[cfg(test)]
mod tests;
