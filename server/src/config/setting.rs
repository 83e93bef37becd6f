//! The description of one setting, and the macro that makes typed groups of them.
//!
//! A group is written once: the doc comment of a field is its meaning in `verbatim config` and
//! `--help`, the kind gives the bounds, and the default goes through the same parser as a user's
//! value.

use super::error::ConfigError;
use super::layers::Layers;

/// What there is to know of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key in the TOML file, dotted: `http.body_limit`.
    pub key: &'static str,
    /// The meaning, from the doc comment.
    pub meaning: &'static str,
    /// The default as text; empty where it is unset.
    pub default: &'static str,
    /// What is allowed.
    pub allowed: String,
}

impl Setting {
    /// The environment's name for it: `VERBATIM_HTTP_BODY_LIMIT`.
    pub fn env(&self) -> String {
        env_name(self.key)
    }
}

/// The environment's name of a key.
pub fn env_name(key: &str) -> String {
    format!("VERBATIM_{}", key.replace('.', "_").to_ascii_uppercase())
}

/// A setting with its effective value as TOML (`None`: unset, or a secret).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The key in the TOML file.
    pub key: &'static str,
    /// The value as TOML.
    pub value: Option<String>,
}

/// A typed group of settings.
pub trait Group: Sized {
    /// Reads every setting of the group from the layers.
    fn read(layers: &Layers) -> Result<Self, ConfigError>;
    /// Describes every setting of the group.
    fn table() -> Vec<Setting>;
    /// The effective values.
    fn show(&self) -> Vec<Shown>;
}

macro_rules! settings {
    (
        $(#[doc = $group_doc:literal])+
        pub struct $name:ident in $prefix:literal {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $ty:ty = $default:literal, $kind:expr;
            )+
        }
    ) => {
        $(#[doc = $group_doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                pub $field: $ty,
            )+
        }

        impl $crate::config::setting::Group for $name {
            fn read(
                layers: &$crate::config::layers::Layers,
            ) -> Result<Self, $crate::config::ConfigError> {
                Ok(Self {
                    $($field: layers.get(concat!($prefix, stringify!($field)), &$kind, $default)?,)+
                })
            }

            fn table() -> Vec<$crate::config::setting::Setting> {
                vec![$($crate::config::setting::Setting {
                    key: concat!($prefix, stringify!($field)),
                    meaning: concat!($($doc),+).trim_ascii(),
                    default: $default,
                    allowed: $crate::config::kinds::Kind::allowed(&$kind),
                }),+]
            }

            fn show(&self) -> Vec<$crate::config::setting::Shown> {
                vec![$($crate::config::setting::Shown {
                    key: concat!($prefix, stringify!($field)),
                    value: $crate::config::kinds::Kind::show(&$kind, &self.$field),
                }),+]
            }
        }
    };
}
pub(crate) use settings;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_names_follow_the_keys() {
        assert_eq!(env_name("auth.secret"), "VERBATIM_AUTH_SECRET");
        assert_eq!(env_name("http.body_limit"), "VERBATIM_HTTP_BODY_LIMIT");
    }
}
