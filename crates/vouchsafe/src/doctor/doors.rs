//! The addresses that the program listens on: whether it could.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::{Finding, Whose};

const CHECK: &str = "addresses";

pub(super) async fn examine(doors: &[(&'static str, Option<SocketAddr>)]) -> Vec<Finding> {
    let mut findings = Vec::with_capacity(doors.len());
    for (setting, address) in doors {
        findings.push(match address {
            Some(address) => of_address(setting, *address).await,
            None => Finding::fault(
                CHECK,
                Whose::Operator,
                format_args!("{setting} is not set"),
                "set it, with the certificates and key of the listener: production is served over TLS alone",
            ),
        });
    }
    findings
}

/// Binds it and lets it go at once.
async fn of_address(setting: &str, address: SocketAddr) -> Finding {
    match TcpListener::bind(address).await {
        Ok(_) => Finding::ok(CHECK, format_args!("{setting}: {address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Finding::warning(
            CHECK,
            Whose::Operator,
            format_args!("{setting}: somebody listens on {address} already"),
            "nothing, if it is this very program; otherwise end the other or choose another address",
        ),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::fault(
            CHECK,
            Whose::Operator,
            format_args!("{setting}: this user may not listen on {address}"),
            "choose a port from 1024 on, or let the service manager hand the right to low ports on",
        ),
        Err(error) => Finding::fault(
            CHECK,
            Whose::Operator,
            format_args!("{setting}: nobody can listen on {address} here: {}", error.kind()),
            "name an address of this machine, or 0.0.0.0 for all of them",
        ),
    }
}
