//! TensorBoard's event files, which other trackers of experiments import too.
//!
//! A file is a sequence of records: the length of the data (8 bytes, little endian), a checksum of these 8 bytes, the data, a checksum of
//! the data. The data are a protocol buffer of the type Event, of which three fields are used: 1, the time in seconds (double); 2, the
//! step (varint); 3, the version of the format (text, in the first record) or 5, the values. That is little enough to be written by hand:
//! the generated types that crates bring are a thousand times as much code.

use serde_json::Value;

/// What a log's line becomes: the value's key and the tag under which it appears.
const TAGS: [(&str, &str); 8] = [
    ("loss", "loss/total"),
    ("map", "loss/map"),
    ("side", "loss/side"),
    ("global", "loss/global"),
    ("global_finer", "loss/global_finer"),
    ("organs", "loss/organs"),
    ("dice", "validation/dice"),
    ("learning_rate", "learning_rate"),
];

/// The record that a file begins with.
pub(super) fn head(seconds: f64) -> Vec<u8> {
    let mut event = double(1, seconds);
    event.extend(bytes(3, b"brain.Event:2"));
    record(&event)
}

/// The record of an epoch: the values of its line in the log, at that many seconds since 1970.
pub(super) fn epoch(line: &Value, step: u64, seconds: f64) -> Vec<u8> {
    let values = TAGS.iter().filter_map(|(key, tag)| {
        let mut value = bytes(1, tag.as_bytes());
        value.push(2 << 3 | 5); // simple_value, a float
        value.extend((line[*key].as_f64()? as f32).to_le_bytes());
        Some(bytes(1, &value))
    });
    let summary: Vec<u8> = values.flatten().collect();
    let mut event = double(1, seconds);
    event.push(2 << 3);
    event.extend(varint(step));
    event.extend(bytes(5, &summary));
    record(&event)
}

fn record(data: &[u8]) -> Vec<u8> {
    /// A checksum of data that hold checksums would be easily right by chance.
    fn masked(data: &[u8]) -> [u8; 4] {
        crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
    }
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), data, &masked(data)].concat()
}

fn double(field: u8, value: f64) -> Vec<u8> {
    [&[field << 3 | 1][..], &value.to_le_bytes()].concat()
}

fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
    [&[field << 3 | 2][..], &varint(value.len() as u64), value].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size() {
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(127), [127]);
        assert_eq!(varint(300), [0xac, 2]);
        assert_eq!(varint(u64::MAX).len(), 10);
    }

    /// Of an event of 2 + 7 bytes: lengths, checksums and fields by hand.
    #[test]
    fn a_record_has_its_lengths_and_checksums() {
        let line = serde_json::json!({ "dice": 0.5, "loss": null });
        let record = epoch(&line, 3, 1.5);
        let summary = [&[2 << 3 | 2, 15][..], b"validation/dice"].concat();
        assert_eq!(summary.len(), 17);
        let length = u64::from_le_bytes(record[..8].try_into().unwrap()) as usize;
        assert_eq!(record.len(), 8 + 4 + length + 4);
        let data = &record[12..12 + length];
        assert_eq!(data[..9], [&[9][..], &1.5_f64.to_le_bytes()].concat());
        assert_eq!(data[9..11], [16, 3]);
        let value = [&[10, 15][..], b"validation/dice", &[21], &0.5_f32.to_le_bytes()].concat();
        assert_eq!(data[11..], [&[42, 2 + value.len() as u8, 10, value.len() as u8][..], &value].concat());
        // CRC-32C of "123456789" is 0xe3069283.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }
}
