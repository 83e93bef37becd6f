//! What a setting may be: each kind parses, says what is allowed, and shows a value again as TOML.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::given::{Given, digits};
use super::secret::Secret;

/// One KiB in bytes.
pub const KIB: u64 = 1024;
/// One MiB in bytes.
pub const MIB: u64 = 1024 * KIB;
/// One second.
pub const SECOND: Duration = Duration::from_secs(1);
/// One minute.
pub const MINUTE: Duration = Duration::from_secs(60);
/// One hour.
pub const HOUR: Duration = Duration::from_secs(3600);

/// The form of one setting's value.
pub trait Kind {
    /// What the setting becomes.
    type Value;
    /// Reads a given value; the error says what is wrong with it.
    fn parse(&self, given: &Given) -> Result<Self::Value, String>;
    /// What is allowed, to be read after "allowed is".
    fn allowed(&self) -> String;
    /// The value as TOML, or `None` where nothing is set or it must not be shown.
    fn show(&self, value: &Self::Value) -> Option<String>;
}

fn not(given: &Given, what: &str) -> String {
    format!("{} is not {what}", given.shown())
}

fn within<T: PartialOrd>(value: T, min: &T, max: &T, given: &Given) -> Result<T, String> {
    if value < *min {
        Err(format!("{} is too small", given.shown()))
    } else if value > *max {
        Err(format!("{} is too large", given.shown()))
    } else {
        Ok(value)
    }
}

/// A whole number from `.0` to `.1`.
pub struct Count(pub u32, pub u32);

impl Kind for Count {
    type Value = u32;
    fn parse(&self, given: &Given) -> Result<u32, String> {
        let number = given.integer().ok_or_else(|| not(given, "a whole number"))?;
        let number = within(number, &u64::from(self.0), &u64::from(self.1), given)?;
        u32::try_from(number).map_err(|_| not(given, "a whole number"))
    }
    fn allowed(&self) -> String {
        format!("a whole number from {} to {}", self.0, self.1)
    }
    fn show(&self, value: &u32) -> Option<String> {
        Some(value.to_string())
    }
}

/// A size in bytes from `.0` to `.1`: `262144` or `"256KiB"`.
pub struct Size(pub u64, pub u64);

const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1024 * MIB), ("MiB", MIB), ("KiB", KIB), ("B", 1)];

fn parse_size(text: &str) -> Option<u64> {
    for (unit, factor) in SIZE_UNITS {
        if let Some(number) = text.strip_suffix(unit) {
            return digits(number.trim_end())?.checked_mul(factor);
        }
    }
    digits(text)
}

fn show_size(bytes: u64) -> String {
    let (unit, factor) = SIZE_UNITS
        .into_iter()
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor))
        .unwrap_or(("B", 1));
    format!("{}{unit}", bytes / factor)
}

impl Kind for Size {
    type Value = usize;
    fn parse(&self, given: &Given) -> Result<usize, String> {
        let bytes = given.integer().or_else(|| given.text().and_then(parse_size));
        let bytes = bytes.ok_or_else(|| not(given, "a size in bytes"))?;
        let bytes = within(bytes, &self.0, &self.1, given)?;
        usize::try_from(bytes).map_err(|_| not(given, "a size in bytes"))
    }
    fn allowed(&self) -> String {
        format!(
            "bytes or a size such as 256KiB, from {} to {}",
            show_size(self.0),
            show_size(self.1)
        )
    }
    fn show(&self, value: &usize) -> Option<String> {
        Some(format!("{:?}", show_size(*value as u64)))
    }
}

/// A span of time from `.0` to `.1`, always with a unit: `500ms`, `30s`, `5m`, `1h`.
pub struct Span(pub Duration, pub Duration);

const SPAN_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

fn parse_span(text: &str) -> Option<Duration> {
    let split = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let (_, factor) = SPAN_UNITS.into_iter().find(|(name, _)| *name == unit.trim_start())?;
    Some(Duration::from_millis(digits(number)?.checked_mul(factor)?))
}

fn show_span(span: Duration) -> String {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let (unit, factor) = SPAN_UNITS
        .into_iter()
        .find(|(_, factor)| millis >= *factor && millis.is_multiple_of(*factor))
        .unwrap_or(("ms", 1));
    format!("{}{unit}", millis / factor)
}

impl Kind for Span {
    type Value = Duration;
    fn parse(&self, given: &Given) -> Result<Duration, String> {
        let span = given.text().and_then(parse_span);
        let span = span.ok_or_else(|| not(given, "a duration with its unit"))?;
        within(span, &self.0, &self.1, given)
    }
    fn allowed(&self) -> String {
        format!(
            "a duration such as 500ms, 30s, 5m or 1h, from {} to {}",
            show_span(self.0),
            show_span(self.1)
        )
    }
    fn show(&self, value: &Duration) -> Option<String> {
        Some(format!("{:?}", show_span(*value)))
    }
}

/// `true` or `false`.
pub struct Flag;

impl Kind for Flag {
    type Value = bool;
    fn parse(&self, given: &Given) -> Result<bool, String> {
        match (given, given.text()) {
            (Given::Boolean(flag), _) => Ok(*flag),
            (_, Some("true" | "1")) => Ok(true),
            (_, Some("false" | "0")) => Ok(false),
            _ => Err(not(given, "a yes or no")),
        }
    }
    fn allowed(&self) -> String {
        "true or false".to_owned()
    }
    fn show(&self, value: &bool) -> Option<String> {
        Some(value.to_string())
    }
}

/// An IP address and port.
pub struct Address;

impl Kind for Address {
    type Value = SocketAddr;
    fn parse(&self, given: &Given) -> Result<SocketAddr, String> {
        let parsed = given.text().and_then(|text| {
            let text = text.replace("localhost:", "127.0.0.1:");
            text.parse().ok()
        });
        parsed.ok_or_else(|| not(given, "an address and port"))
    }
    fn allowed(&self) -> String {
        "ADDR:PORT, such as 127.0.0.1:8080 or [::1]:8080 (port 0 takes a free one)".to_owned()
    }
    fn show(&self, value: &SocketAddr) -> Option<String> {
        Some(format!("{:?}", value.to_string()))
    }
}

/// A path of a file or folder; what it is for is `.0`.
pub struct Path(pub &'static str);

impl Kind for Path {
    type Value = PathBuf;
    fn parse(&self, given: &Given) -> Result<PathBuf, String> {
        match given.text() {
            Some(text) if !text.is_empty() && !text.contains('\0') => Ok(PathBuf::from(text)),
            _ => Err(not(given, "a path")),
        }
    }
    fn allowed(&self) -> String {
        format!("the path of {}", self.0)
    }
    fn show(&self, value: &PathBuf) -> Option<String> {
        Some(format!("{:?}", value.display().to_string()))
    }
}

/// The longest text a setting takes, in bytes.
const TEXT_MAX: usize = 1024;

/// Printable text; what it is for is `.0`.
pub struct Text(pub &'static str);

impl Kind for Text {
    type Value = String;
    fn parse(&self, given: &Given) -> Result<String, String> {
        match given.text() {
            Some(text)
                if (1..=TEXT_MAX).contains(&text.len()) && !text.chars().any(char::is_control) =>
            {
                Ok(text.to_owned())
            }
            _ => Err(not(given, "such a text")),
        }
    }
    fn allowed(&self) -> String {
        format!("{} of 1 to {TEXT_MAX} bytes", self.0)
    }
    fn show(&self, value: &String) -> Option<String> {
        Some(format!("{value:?}"))
    }
}

/// A shared secret of at least [`Secret::MIN_BYTES`] bytes. It is never shown.
pub struct SharedSecret;

impl Kind for SharedSecret {
    type Value = Secret;
    fn parse(&self, given: &Given) -> Result<Secret, String> {
        let Given::Text(text) = given else {
            return Err("its value is not text".to_owned());
        };
        Secret::new(text.as_bytes())
            .ok_or_else(|| format!("its {} bytes are the wrong length", text.len()))
    }
    fn allowed(&self) -> String {
        format!("a secret of {} to {} bytes", Secret::MIN_BYTES, Secret::MAX_BYTES)
    }
    fn show(&self, _: &Secret) -> Option<String> {
        None
    }
}

/// One of a fixed set of words.
pub struct OneOf<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Clone + PartialEq> Kind for OneOf<T> {
    type Value = T;
    fn parse(&self, given: &Given) -> Result<T, String> {
        let word = given.text();
        let found = self.0.iter().find(|(name, _)| Some(*name) == word);
        found.map(|(_, value)| value.clone()).ok_or_else(|| not(given, "known"))
    }
    fn allowed(&self) -> String {
        join(self.0.iter().map(|(name, _)| name), " or ")
    }
    fn show(&self, value: &T) -> Option<String> {
        self.0.iter().find(|(_, other)| other == value).map(|(name, _)| format!("{name:?}"))
    }
}

/// A setting that may be left out.
pub struct Maybe<K>(pub K);

impl<K: Kind> Kind for Maybe<K> {
    type Value = Option<K::Value>;
    fn parse(&self, given: &Given) -> Result<Self::Value, String> {
        if given.text() == Some("") {
            return Ok(None);
        }
        self.0.parse(given).map(Some)
    }
    fn allowed(&self) -> String {
        self.0.allowed()
    }
    fn show(&self, value: &Self::Value) -> Option<String> {
        value.as_ref().and_then(|value| self.0.show(value))
    }
}

/// The most items a list takes.
const LIST_MAX: usize = 256;

/// A list of at most 256 items: a TOML array, or text with commas.
pub struct List<K>(pub K);

impl<K: Kind> Kind for List<K> {
    type Value = Vec<K::Value>;
    fn parse(&self, given: &Given) -> Result<Self::Value, String> {
        let items = given.list().ok_or_else(|| not(given, "a list"))?;
        if items.len() > LIST_MAX {
            return Err(format!("it has {} items, more than {LIST_MAX}", items.len()));
        }
        items.into_iter().map(|item| self.0.parse(&Given::Text(item))).collect()
    }
    fn allowed(&self) -> String {
        format!("a list (commas between) of: {}", self.0.allowed())
    }
    fn show(&self, value: &Self::Value) -> Option<String> {
        let items: Vec<String> = value.iter().filter_map(|item| self.0.show(item)).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}

/// Joins what can be displayed.
pub fn join<T: Display>(items: impl Iterator<Item = T>, between: &str) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Given {
        Given::Text(value.to_owned())
    }

    #[test]
    fn sizes() {
        let kind = Size(1, 2 * MIB);
        for (given, bytes) in
            [("1", 1), ("7B", 7), ("256KiB", 262_144), ("2 MiB", 2_097_152), (" 16KiB ", 16_384)]
        {
            assert_eq!(kind.parse(&text(given)), Ok(bytes), "{given}");
        }
        assert_eq!(kind.parse(&Given::Integer(4096)), Ok(4096));
        for wrong in ["", "0", "3MiB", "256kb", "1.5KiB", "-1", "KiB", "99999999999999999999GiB"] {
            assert!(kind.parse(&text(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(kind.show(&262_144).as_deref(), Some("\"256KiB\""));
        assert_eq!(kind.show(&1500).as_deref(), Some("\"1500B\""));
    }

    #[test]
    fn spans_need_their_unit() {
        let kind = Span(Duration::from_millis(1), HOUR);
        for (given, millis) in [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000)]
        {
            let span = Duration::from_millis(millis);
            assert_eq!(kind.parse(&text(given)), Ok(span), "{given}");
            assert_eq!(kind.show(&span), Some(format!("{given:?}")));
        }
        for wrong in ["", "30", "0s", "2h", "s", "1.5s", "-1s", "30 parsecs", "99999999999999999h"]
        {
            assert!(kind.parse(&text(wrong)).is_err(), "{wrong}");
        }
        assert!(kind.parse(&Given::Integer(30)).is_err());
    }

    #[test]
    fn counts_and_flags() {
        assert_eq!(Count(1, 10).parse(&text("10")), Ok(10));
        assert!(Count(1, 10).parse(&text("11")).is_err());
        assert!(Count(1, 10).parse(&Given::Boolean(true)).is_err());
        assert_eq!(Flag.parse(&text("true")), Ok(true));
        assert_eq!(Flag.parse(&Given::Boolean(false)), Ok(false));
        assert!(Flag.parse(&text("yes")).is_err());
    }

    #[test]
    fn addresses() {
        assert!(Address.parse(&text("127.0.0.1:0")).is_ok());
        assert!(Address.parse(&text("[::1]:8080")).is_ok());
        assert!(Address.parse(&text("localhost:8080")).is_ok());
        for wrong in ["", "8080", "127.0.0.1", "example.org:80", "1.2.3.4:99999"] {
            assert!(Address.parse(&text(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_secret_is_not_repeated() {
        let problem = SharedSecret.parse(&text("hunter2")).unwrap_err();
        assert!(!problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn lists_are_bounded() {
        let kind = List(Count(0, 9));
        assert_eq!(kind.parse(&text("1, 2")), Ok(vec![1, 2]));
        assert!(kind.parse(&text(&"1,".repeat(257))).is_err());
        assert_eq!(kind.show(&vec![1, 2]).as_deref(), Some("[1, 2]"));
    }
}
