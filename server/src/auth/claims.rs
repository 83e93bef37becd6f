//! The claims of a token whose signature was checked.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use verbatim_ports::auth::{Actor, Roles};
use verbatim_schemas::{DeviceId, Timestamp, UserId};

use super::refusal::Refusal;

/// The claims that are read. Values stay raw so that each wrong one gets its own refusal.
#[derive(Deserialize)]
pub struct Claims {
    iss: Option<Value>,
    aud: Option<Value>,
    sub: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    device: Option<Value>,
    roles: Option<Value>,
}

impl Claims {
    /// The `iss`, if there is one; anything but text is refused.
    pub fn issuer(&self) -> Result<Option<&str>, Refusal> {
        match &self.iss {
            None => Ok(None),
            Some(Value::String(name)) => Ok(Some(name)),
            Some(_) => Err(Refusal::Issuer),
        }
    }

    /// Checks all claims at a time. `audience` empty: `aud` is not checked.
    pub fn check(
        &self,
        audience: &[String],
        now: Timestamp,
        leeway: Duration,
    ) -> Result<Actor, Refusal> {
        let leeway = u64::try_from(leeway.as_millis()).unwrap_or(u64::MAX);
        let expires_at = numeric_date(self.exp.as_ref())?.ok_or(Refusal::NoExpiry)?;
        if now >= expires_at.plus_millis(leeway) {
            return Err(Refusal::Expired);
        }
        if numeric_date(self.nbf.as_ref())?.is_some_and(|from| from > now.plus_millis(leeway)) {
            return Err(Refusal::NotYet);
        }
        if !audience.is_empty() && !self.is_for(audience) {
            return Err(Refusal::Audience);
        }
        let subject = self.sub.as_ref().and_then(Value::as_str).ok_or(Refusal::Subject)?;
        let user = subject.parse::<UserId>().map_err(|_| Refusal::Subject)?;
        Ok(Actor { user, device: self.device()?, roles: self.roles()?, expires_at })
    }

    fn is_for(&self, audience: &[String]) -> bool {
        let matches = |value: &Value| {
            value.as_str().is_some_and(|name| audience.iter().any(|own| own == name))
        };
        match &self.aud {
            Some(Value::Array(names)) => names.iter().any(matches),
            Some(name) => matches(name),
            None => false,
        }
    }

    fn device(&self) -> Result<DeviceId, Refusal> {
        match &self.device {
            None => Ok(DeviceId::default()),
            Some(Value::String(name)) => name.parse().map_err(|_| Refusal::Device),
            Some(_) => Err(Refusal::Device),
        }
    }

    /// The known roles; unknown ones have no effect.
    fn roles(&self) -> Result<Roles, Refusal> {
        let names = match &self.roles {
            None => return Ok(Roles::default()),
            Some(Value::Array(names)) => names,
            Some(_) => return Err(Refusal::Roles),
        };
        let mut roles = Roles::default();
        for name in names {
            allow(&mut roles, name.as_str().ok_or(Refusal::Roles)?);
        }
        Ok(roles)
    }
}

/// Adds a role; false where there is none of that name.
pub(super) fn allow(roles: &mut Roles, name: &str) -> bool {
    match name {
        "moderator" => roles.moderator = true,
        "analyst" => roles.analyst = true,
        "auditor" => roles.auditor = true,
        "service" => roles.service = true,
        _ => return false,
    }
    true
}

/// A NumericDate (RFC 7519, section 2): seconds since 1970, with or without a fraction.
/// What lies before 1970 becomes 1970, what lies beyond the last time becomes it.
fn numeric_date(value: Option<&Value>) -> Result<Option<Timestamp>, Refusal> {
    let number = match value {
        None => return Ok(None),
        Some(Value::Number(number)) => number,
        Some(_) => return Err(Refusal::NotNumericDate),
    };
    if let Some(seconds) = number.as_u64() {
        return Ok(Some(Timestamp::from_millis(seconds.saturating_mul(1000))));
    }
    let millis = number.as_f64().ok_or(Refusal::NotNumericDate)? * 1000.0;
    // Casts from floats saturate, and a negative one becomes zero.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturating is what is meant"
    )]
    Ok(Some(Timestamp::from_millis(millis as u64)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn check(claims: Value) -> Result<Actor, Refusal> {
        let now = Timestamp::from_millis(NOW * 1000);
        let claims: Claims = serde_json::from_value(claims).unwrap();
        claims.check(&["chat".to_owned()], now, Duration::from_secs(30))
    }

    fn with(name: &str, value: Value) -> Result<Actor, Refusal> {
        let mut claims = json!({"sub": "alice", "exp": NOW + 60, "aud": "chat"});
        claims[name] = value;
        check(claims)
    }

    #[test]
    fn the_least_claims_are_enough() {
        let actor = check(json!({"sub": "alice", "exp": NOW + 60, "aud": "chat"})).unwrap();
        assert_eq!(actor.device, DeviceId::default());
        assert_eq!(actor.roles, Roles::default());
        assert_eq!(actor.expires_at.as_millis(), (NOW + 60) * 1000);
    }

    #[test]
    fn times_are_numbers_within_leeway() {
        for (exp, outcome) in [
            (json!(NOW - 29), None),
            (json!(NOW - 30), Some(Refusal::Expired)),
            (json!(0), Some(Refusal::Expired)),
            (json!(-5), Some(Refusal::Expired)),
            (json!(NOW as f64 + 0.5), None),
            (json!(1e300), None),
            (json!(u64::MAX), None),
            (json!((NOW + 60).to_string()), Some(Refusal::NotNumericDate)),
            (json!("2040-01-01T00:00:00Z"), Some(Refusal::NotNumericDate)),
            (json!([NOW + 60]), Some(Refusal::NotNumericDate)),
            (json!(true), Some(Refusal::NotNumericDate)),
            (json!(null), Some(Refusal::NoExpiry)),
        ] {
            assert_eq!(with("exp", exp.clone()).err(), outcome, "{exp}");
        }
        for (nbf, outcome) in [
            (json!(NOW + 30), None),
            (json!(NOW + 31), Some(Refusal::NotYet)),
            (json!(1e300), Some(Refusal::NotYet)),
            (json!("0"), Some(Refusal::NotNumericDate)),
            (json!(null), None),
        ] {
            assert_eq!(with("nbf", nbf.clone()).err(), outcome, "{nbf}");
        }
        assert_eq!(check(json!({"sub": "alice", "aud": "chat"})).err(), Some(Refusal::NoExpiry));
    }

    #[test]
    fn the_audience_holds_one_of_ours() {
        assert!(with("aud", json!(["x", "chat"])).is_ok());
        for aud in [json!("x"), json!([]), json!(null), json!({"chat": 1}), json!([["chat"]])] {
            assert_eq!(with("aud", aud.clone()).err(), Some(Refusal::Audience), "{aud}");
        }
    }

    #[test]
    fn subject_device_and_roles() {
        for sub in [json!(null), json!(""), json!("a b"), json!("a/b"), json!(7), json!("ü")] {
            assert_eq!(with("sub", sub.clone()).err(), Some(Refusal::Subject), "{sub}");
        }
        assert_eq!(with("sub", json!("a".repeat(129))).err(), Some(Refusal::Subject));
        assert_eq!(with("device", json!("d".repeat(65))).err(), Some(Refusal::Device));
        assert_eq!(with("device", json!(5)).err(), Some(Refusal::Device));
        assert_eq!(with("device", json!("phone")).unwrap().device.as_str(), "phone");
        let roles = with("roles", json!(["auditor", "root", "moderator", "auditor"])).unwrap();
        let expected = Roles { moderator: true, auditor: true, ..Roles::default() };
        assert_eq!(roles.roles, expected);
        for wrong in [json!("moderator"), json!([1]), json!({})] {
            assert_eq!(with("roles", wrong.clone()).err(), Some(Refusal::Roles), "{wrong}");
        }
    }
}
