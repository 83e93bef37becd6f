//! A value as it was given, before anyone knows what it should be.

use super::error::quoted;

/// A raw value of one setting. Flags and the environment give text; the TOML file keeps its types.
#[derive(Clone, PartialEq)]
pub enum Given {
    /// Text from a flag, the environment or a TOML string.
    Text(String),
    /// A TOML integer.
    Integer(i64),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array of strings.
    List(Vec<String>),
    /// Anything else from TOML, by the name of its type.
    Other(&'static str),
}

impl Given {
    /// Takes a TOML value over; an array counts as a list only when all of it is text.
    pub fn from_toml(value: &toml::Value) -> Self {
        match value {
            toml::Value::String(text) => Self::Text(text.clone()),
            toml::Value::Integer(number) => Self::Integer(*number),
            toml::Value::Boolean(flag) => Self::Boolean(*flag),
            toml::Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .map_or(Self::Other("a mixed array"), Self::List),
            toml::Value::Float(_) => Self::Other("a decimal number"),
            toml::Value::Datetime(_) => Self::Other("a date"),
            toml::Value::Table(_) => Self::Other("a table"),
        }
    }

    /// The value as a message may show it.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Integer(number) => number.to_string(),
            Self::Boolean(flag) => flag.to_string(),
            Self::List(items) => quoted(&items.join(",")),
            Self::Other(name) => (*name).to_owned(),
        }
    }

    /// The text, if it is text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.trim()),
            _ => None,
        }
    }

    /// A whole number, written as one or as text.
    pub fn integer(&self) -> Option<u64> {
        match self {
            Self::Integer(number) => u64::try_from(*number).ok(),
            Self::Text(text) => digits(text.trim()),
            _ => None,
        }
    }

    /// A list: a TOML array, or text with commas. Blank items are dropped.
    pub fn list(&self) -> Option<Vec<String>> {
        let trimmed = |items: &mut dyn Iterator<Item = &str>| {
            items.map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
        };
        match self {
            Self::Text(text) => Some(trimmed(&mut text.split(','))),
            Self::List(items) => Some(trimmed(&mut items.iter().map(String::as_str))),
            _ => None,
        }
    }
}

// A raw value may be a secret before its kind is known.
impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Given(…)")
    }
}

/// Plain decimal digits; no sign, no blanks.
pub fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_digits_only() {
        assert_eq!(Given::Text(" 12 ".into()).integer(), Some(12));
        assert_eq!(Given::Integer(-1).integer(), None);
        for wrong in ["", "+1", "-1", "1e3", "1 2", "99999999999999999999"] {
            assert_eq!(Given::Text(wrong.into()).integer(), None, "{wrong}");
        }
    }

    #[test]
    fn lists_come_from_commas_and_arrays() {
        let expected = Some(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(Given::Text("a, b,".into()).list(), expected);
        assert_eq!(Given::List(vec!["a".into(), " b".into()]).list(), expected);
        assert_eq!(Given::Integer(1).list(), None);
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Given::Text("hunter2".into())), "Given(…)");
    }
}
