use std::collections::BTreeSet;

use super::*;

const SECRET: &str = "correct-horse-battery-staple-0123456789";

fn env(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    let pairs: Vec<_> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    pairs.into_iter()
}

fn serving(flags: &Flags, pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load_for_serving(flags, env(pairs))
}

#[test]
fn every_default_is_allowed_and_every_name_is_unique() {
    let config = Config::load(&Flags::default(), env(&[])).unwrap();
    assert_eq!(config.http.body_limit, 262_144);
    assert_eq!(config.ws.message_limit, 131_072);
    assert_eq!(config.server.drain.as_secs(), 20);
    let settings = all_settings();
    let names: BTreeSet<String> = settings.iter().map(Setting::env).collect();
    assert_eq!(names.len(), settings.len());
    for setting in &settings {
        assert!(setting.meaning.ends_with('.'), "{}: {}", setting.key, setting.meaning);
        assert!(!setting.allowed.is_empty());
    }
}

#[test]
fn serving_needs_a_key_or_development_mode() {
    let error = serving(&Flags::default(), &[]).unwrap_err().to_string();
    assert!(error.contains("VERBATIM_AUTH_SECRET"), "{error}");
    serving(&Flags::default(), &[("VERBATIM_AUTH_SECRET", SECRET)]).unwrap();
    serving(&Flags { dev: true, ..Flags::default() }, &[]).unwrap();
}

#[test]
fn development_mode_is_loopback_only() {
    for address in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:80"] {
        let flags = Flags { dev: true, listen: Some(address.into()), ..Flags::default() };
        let error = serving(&flags, &[("VERBATIM_AUTH_SECRET", SECRET)]).unwrap_err();
        assert_eq!(error.setting, "--listen");
        assert!(error.problem.contains("not loopback"), "{error}");
    }
    let flags = Flags { dev: true, listen: Some("[::1]:0".into()), ..Flags::default() };
    serving(&flags, &[]).unwrap();
}

#[test]
fn a_subset_of_roles_is_refused() {
    let flags = Flags { dev: true, roles: Some("gateway".into()), ..Flags::default() };
    let error = serving(&flags, &[]).unwrap_err().to_string();
    assert!(error.starts_with("--roles: command-api is left out; the embedded"), "{error}");
    let flags = Flags { dev: true, roles: Some("gatevay".into()), ..Flags::default() };
    let error = serving(&flags, &[]).unwrap_err().to_string();
    assert!(error.contains("\"gatevay\" is not known"), "{error}");
}

#[test]
fn settings_that_do_not_fit_together() {
    for (pair, setting) in [
        (("VERBATIM_TLS_CERT", "a.pem"), "VERBATIM_TLS_CERT"),
        (("VERBATIM_TLS_KEY", "a.pem"), "VERBATIM_TLS_KEY"),
        (("VERBATIM_WS_SILENCE_TIMEOUT", "30s"), "VERBATIM_WS_SILENCE_TIMEOUT"),
        (("VERBATIM_RATES_SEND_BURST", "1"), "VERBATIM_RATES_SEND_BURST"),
        (("VERBATIM_METRICS_LISTEN", "127.0.0.1:8080"), "VERBATIM_METRICS_LISTEN"),
        (("VERBATIM_LOG_LEVEL", "a=b=c"), "VERBATIM_LOG_LEVEL"),
        (("VERBATIM_CONFIG", "/nowhere/verbatim.toml"), "VERBATIM_CONFIG"),
    ] {
        let error = serving(&Flags { dev: true, ..Flags::default() }, &[pair]).unwrap_err();
        assert_eq!(error.setting, setting, "{error}");
    }
}

#[test]
fn the_file_is_read_from_either_name() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "listen = \"127.0.0.1:9\"\n[http]\nbody_limit = \"1MiB\"").unwrap();
    let name = file.path().display().to_string();
    let config = Config::load(&Flags::default(), env(&[("VERBATIM_CONFIG", &name)])).unwrap();
    assert_eq!(config.server.listen.port(), 9);
    let flags = Flags {
        config: Some(file.path().into()),
        listen: Some("127.0.0.1:7".into()),
        ..Flags::default()
    };
    let config = Config::load(&flags, env(&[("VERBATIM_CONFIG", "/nowhere")])).unwrap();
    assert_eq!((config.server.listen.port(), config.http.body_limit), (7, 1 << 20));
}

#[test]
fn what_config_prints_is_a_file_that_says_the_same() {
    let pairs = [("VERBATIM_HTTP_BODY_LIMIT", "300000"), ("VERBATIM_HTTP_TRUSTED_PROXIES", "::1")];
    let config = Config::load(&Flags::default(), env(&pairs)).unwrap();
    let text = render_settings(&config);
    let mut layers = Layers::default();
    layers.set_file("printed.toml", &text, &known_keys()).unwrap();
    assert_eq!(Config::from_layers(layers).unwrap(), config, "{text}");
}

#[test]
fn secrets_are_shown_nowhere() {
    let config = Config::load(&Flags::default(), env(&[("VERBATIM_AUTH_SECRET", SECRET)])).unwrap();
    assert!(!format!("{config:?}").contains("horse"));
    assert!(!format!("{config:#?}").contains("horse"));
    let printed = render_settings(&config);
    assert!(!printed.contains("horse") && printed.contains("(set, not shown)"));
    let short = Config::load(&Flags::default(), env(&[("VERBATIM_AUTH_SECRET", "horse")]));
    assert!(!short.unwrap_err().to_string().contains("horse"));
}
