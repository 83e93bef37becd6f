use std::collections::BTreeSet;

use super::*;

#[test]
fn no_two_routes_are_the_same() {
    let requests: BTreeSet<_> = ROUTES.iter().map(|route| (route.path, route.method)).collect();
    let operations: BTreeSet<_> = ROUTES.iter().map(|route| route.operation).collect();
    assert_eq!(requests.len(), ROUTES.len());
    assert_eq!(operations.len(), ROUTES.len());
}

#[test]
fn routes_are_complete() {
    for route in ROUTES {
        assert!(route.path.starts_with('/'), "{}", route.operation);
        assert!(!route.summary.is_empty(), "{}", route.operation);
        assert!(!route.answers.is_empty(), "{}", route.operation);
        assert!(!route.all_codes().is_empty(), "{}", route.operation);
        for param in route.path_params() {
            assert!(matches!(param, "id" | "user_id"), "{}: {param}", route.operation);
        }
    }
}

#[test]
fn reads_take_positions_and_commands_are_repeatable() {
    for route in ROUTES {
        match route.service {
            Service::QueryApi => {
                assert!(route.after && route.position && route.method == Method::Get);
            }
            Service::CommandApi => {
                assert!(route.command && route.position && route.method != Method::Get);
                // Messages are repeatable by the id in their body.
                assert_eq!(route.idempotency, route.operation != "sendMessage");
            }
            _ => assert!(!route.after && !route.position && !route.command),
        }
    }
}

#[test]
fn signed_in_routes_say_that_a_token_is_needed() {
    for route in ROUTES {
        let says = route.all_codes().contains(&crate::Code::Unauthenticated);
        let needs = matches!(route.access, Access::User | Access::UserOrTicket);
        assert_eq!(says, needs, "{}", route.operation);
    }
}
