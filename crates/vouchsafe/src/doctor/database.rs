//! The database: whether it answers, is one to trust rows to, has this program's schema, and agrees about the time.

use vouchsafe_service::store::{Database, OpenError, Place, Standing};

use super::installation::Installation;
use super::{Finding, Whose};

pub(super) async fn examine(installation: &Installation) -> Vec<Finding> {
    let place = &installation.place;
    match Database::examine(place, installation.migrators).await {
        Ok(standing) => {
            let mut findings = vec![Finding::ok("database", "it answers, and its content is sound")];
            findings.push(schema(&standing, installation));
            findings.extend(clock(&standing));
            findings
        }
        Err(error) => vec![unusable(&error, place)],
    }
}

fn unusable(error: &OpenError, place: &Place) -> Finding {
    let found = error.to_string();
    match (error, place) {
        (OpenError::Server(fault), _) => {
            let whose = if fault.is_of_settings() { Whose::Operator } else { Whose::DatabaseServer };
            Finding::fault("database", whose, found, "what the sentence asks for; nothing is served before")
        }
        (OpenError::Database(_), Place::File(path)) => {
            let remedy = format!(
                "`vouchsafe migrate` makes {} where it is missing; otherwise see who owns it and its folder",
                path.display()
            );
            Finding::fault("database", Whose::Operator, found, remedy)
        }
        (OpenError::Database(_), Place::Server(server)) => {
            let remedy = format!(
                "see that the server on {} is up, has the database {} and lets {} in",
                server.host, server.name, server.user
            );
            Finding::fault("database", Whose::DatabaseServer, found, remedy)
        }
        _ => Finding::fault("database", Whose::Operator, found, "what the sentence asks for"),
    }
}

fn schema(standing: &Standing, installation: &Installation) -> Finding {
    let fault = |found: String, remedy: String| Finding::fault("schema", Whose::Operator, found, remedy);
    let migrate = format!("vouchsafe migrate {} --config FILE", installation.program);
    if !standing.altered.is_empty() {
        let found = format!("migrations were applied with another text: {}", standing.altered.join(", "));
        return fault(
            found,
            "use the program that the database was made with, or restore a backup".to_owned(),
        );
    }
    if !standing.pending.is_empty() {
        return fault(format!("migrations are to be applied: {}", standing.pending.join(", ")), migrate);
    }
    let newest = standing.newest.unwrap_or_default();
    match &installation.place {
        Place::File(_) if !standing.newer.is_empty() => fault(
            format!("the file is of a newer program: it is at migration {newest:04}"),
            "serve with that program".to_owned(),
        ),
        Place::Server(_) if !standing.newer.is_empty() => Finding::warning(
            "schema",
            Whose::Operator,
            format_args!(
                "a newer program has brought the database to migration {newest:04}; this one still serves"
            ),
            "bring this program up to date soon",
        ),
        _ => Finding::ok("schema", format_args!("it is at migration {newest:04}, as this program needs it")),
    }
}

fn clock(standing: &Standing) -> Option<Finding> {
    let skew_ms = standing.skew_ms?;
    let apart = format!("this machine's clock is {} s off the database server's", skew_ms.abs() / 1000);
    Some(match standing.clocks_agree() {
        true => Finding::ok("clock", apart),
        false => Finding::fault(
            "clock",
            Whose::Operator,
            apart,
            "set both clocks by one source of time; beyond thirty seconds a replica says that it is not ready",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;
    use vouchsafe_service::store::{Server, ServerFault};

    #[test]
    fn clocks_that_are_apart_are_a_fault_and_a_file_has_none() {
        let of = |skew_ms| clock(&Standing { skew_ms, ..Standing::default() }).map(|found| found.state);
        assert_eq!(of(None), None);
        assert_eq!(of(Some(-30_000)), Some(State::Ok));
        assert_eq!([of(Some(31_000)), of(Some(-31_000))], [Some(State::Fault); 2]);
    }

    #[test]
    fn faults_of_a_server_are_its_own_and_those_of_the_way_there_ours() {
        let place = Place::Server(Server {
            host: "db.example".into(),
            port: 5432,
            name: "issuer".into(),
            user: "issuer".into(),
            password: None,
            root_certificate: None,
        });
        let whose = |fault| unusable(&OpenError::Server(fault), &place).whose;
        let theirs = [
            ServerFault::Version(140_000),
            ServerFault::Durability("fsync", "off".into()),
            ServerFault::Encoding,
            ServerFault::Silent,
        ];
        assert!(theirs.into_iter().all(|fault| whose(fault) == Some(Whose::DatabaseServer)));
        let ours = [ServerFault::NoRoot, ServerFault::Password, ServerFault::Standby];
        assert!(ours.into_iter().all(|fault| whose(fault) == Some(Whose::Operator)));
    }
}
