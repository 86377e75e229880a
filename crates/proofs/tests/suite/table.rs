//! The table of bindings: each row changes one thing that an answer is bound to and leaves the rest.

use vouchsafe_proofs::{
    context::{IssuerKey, ReplyTo},
    encoding::Encoding,
    statement::Predicate,
};

use crate::common::{Case, link_secret, scope};

/// One change. With `alone`, that mutant by itself lets the changed case pass; without, something else
/// (the points, the plan, a second append) notices too.
pub(crate) struct Change {
    pub(crate) what: &'static str,
    pub(crate) alone: Option<&'static str>,
    pub(crate) apply: fn(&mut Case),
}

const fn alone(mutant: &'static str, apply: fn(&mut Case)) -> Change {
    Change { what: mutant, alone: Some(mutant), apply }
}

const fn also(what: &'static str, apply: fn(&mut Case)) -> Change {
    Change { what, alone: None, apply }
}

fn rename_query(case: &mut Case, credential: bool) {
    if credential {
        case.context.credentials[1].query = "q9".into();
    }
    for term in case.statements.iter_mut().flat_map(|s| &mut s.terms).filter(|term| term.query == "q1") {
        term.query = "q9".into();
    }
}

/// Changes of [`crate::common::everything`].
pub(crate) const CHANGES: &[Change] = &[
    // Item 2.
    alone("zk-bind-service", |c| c.context.request.service.push('x')),
    alone("zk-bind-client-id", |c| c.context.request.client_id.push('x')),
    alone("zk-bind-nonce", |c| c.context.request.nonce.push('x')),
    alone("zk-bind-state", |c| c.context.request.state_sha256[0] ^= 1),
    alone("zk-bind-reply-to", |c| {
        c.context.request.reply_to = ReplyTo::ResponseUri("https://other.example/a/4Zq".into());
    }),
    alone("zk-bind-reply-to", |c| {
        c.context.request.reply_to = ReplyTo::Origin("https://bus.larkfield.example/a/4Zq".into());
    }),
    alone("zk-bind-encryption-key", |c| c.context.request.encryption_key = Some([0x13; 32])),
    alone("zk-bind-encryption-key", |c| c.context.request.encryption_key = None),
    // Item 3.
    alone("zk-bind-purpose", |c| c.context.policy.purpose.push('x')),
    alone("zk-bind-policy", |c| c.context.policy.id.push('x')),
    alone("zk-bind-policy-version", |c| c.context.policy.version += 1),
    alone("zk-bind-policy-digest", |c| c.context.policy.digest[31] ^= 1),
    alone("zk-bind-statements-digest", |c| c.context.policy.statements[31] ^= 1),
    alone("zk-bind-option", |c| c.context.policy.option = 1),
    alone("zk-bind-as-of", |c| c.context.policy.as_of += 1),
    alone("zk-bind-table", |c| c.context.policy.tables[0].hash[0] ^= 1),
    alone("zk-bind-table", |c| c.context.policy.tables[0].id = "aaa".into()),
    alone("zk-bind-table", |c| c.context.policy.tables[0].version = 0),
    also("a table less", |c| c.context.policy.tables.truncate(2)),
    // Item 4.
    alone("zk-bind-transaction", |c| c.context.authorisation.transactions[0][0] ^= 1),
    alone("zk-bind-transaction", |c| c.context.authorisation.transactions.swap(0, 1)),
    also("a transaction less", |c| c.context.authorisation.transactions.truncate(1)),
    also("the pseudonym's context", |c| {
        c.context.authorisation.pseudonym.as_mut().unwrap().context = scope("2027").as_str().into();
    }),
    also("a context of another form", |c| {
        c.context.authorisation.pseudonym.as_mut().unwrap().context.push('x');
    }),
    also("the pseudonym", |c| {
        let value = &mut c.context.authorisation.pseudonym.as_mut().unwrap().value;
        *value = link_secret().pseudonym(&scope("2027")).value;
    }),
    also("a longer pseudonym", |c| c.context.authorisation.pseudonym.as_mut().unwrap().value.push(4)),
    also("no pseudonym", |c| c.context.authorisation.pseudonym = None),
    alone("zk-bind-permission-key", |c| c.context.authorisation.permission_key = None),
    // Item 5.
    also("the query's id", |c| rename_query(c, true)),
    also("the query's id in the statements alone", |c| rename_query(c, false)),
    alone("zk-bind-issuer", |c| c.context.credentials[0].iss.push('x')),
    alone("zk-bind-issuer-key", |c| c.context.credentials[0].issuer = IssuerKey::Certificate([0x39; 32])),
    alone("zk-bind-issuer-key", |c| c.context.credentials[0].issuer = IssuerKey::Key([0x31; 32])),
    alone("zk-bind-issuer-key", |c| c.context.credentials[1].issuer = IssuerKey::Certificate([0x41; 32])),
    alone("zk-bind-type", |c| c.context.credentials[0].vct.push('x')),
    alone("zk-bind-jwt", |c| c.context.credentials[1].jwt_sha256[7] ^= 1),
    alone("zk-bind-holder-key", |c| c.context.credentials[1].holder_key[7] ^= 1),
    also("the order of credentials", |c| c.context.credentials.swap(0, 1)),
    also("the pointer", |c| {
        c.context.credentials[0].attributes[2].pointer = "/bedrooms".into();
        c.statements[5].terms[0].pointer = "/bedrooms".into();
    }),
    alone("zk-bind-encoding", |c| c.context.credentials[0].attributes[2].enc = Encoding::Code),
    alone("zk-bind-unit", |c| c.context.credentials[0].attributes[0].unit = "GBP-pence".into()),
    alone("zk-bind-bits", |c| c.context.credentials[1].attributes[0].range.as_mut().unwrap().b = 64),
    alone("zk-bind-lo", |c| c.context.credentials[0].attributes[0].range.as_mut().unwrap().lo += 1),
    alone("zk-bind-hi", |c| c.context.credentials[0].attributes[0].range.as_mut().unwrap().hi += 1),
    also("the commitment", |c| {
        let other = c.context.credentials[0].attributes[1].c;
        c.context.credentials[0].attributes[0].c = other;
    }),
    also("another commitment to the link secret", |c| {
        c.context.credentials[0].link = Some(link_secret().commit(&c.secrets[0].blinding()));
    }),
    also("a missing range", |c| c.context.credentials[0].attributes[0].range = None),
    // Item 6.
    alone("zk-bind-id", |c| c.statements[0].id = "another".into()),
    also("the order of statements", |c| c.statements.swap(0, 1)),
    also("the bound by one, upwards", |c| c.statements[0].predicate = Predicate::Le(131_700)),
    also("the bound by one, downwards", |c| c.statements[0].predicate = Predicate::Le(131_698)),
    also("the lower bound by one", |c| c.statements[1].predicate = Predicate::Ge(1_234_499)),
    also("le for ge", |c| c.statements[0].predicate = Predicate::Ge(131_699)),
    also("the interval's end", |c| c.statements[2].predicate = Predicate::In { lo: 6, hi: 10 }),
    also("the interval's start", |c| c.statements[2].predicate = Predicate::In { lo: 5, hi: 9 }),
    also("a coefficient", |c| c.statements[0].terms[0].coeff = 2),
    also("a second term", |c| {
        let term = c.statements[0].terms[0].clone();
        c.statements[0].terms.push(term);
    }),
    also("a statement less", |c| c.statements.truncate(5)),
];
