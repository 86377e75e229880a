//! What the issuer publishes: metadata in clear and signed, in both languages, and the documents of its types.

use axum::body::Body;
use axum::http::Request;
use vouchsafe_protocol::openid4vci::metadata::{IssuerMetadata, ServerMetadata};
use vouchsafe_protocol::openid4vci::signed;
use vouchsafe_protocol::openid4vci::type_metadata::{TypeMetadata, integrity};
use vouchsafe_service::keys::Jws;

use super::council::{Council, ISSUER, NOW, Reply, credential_type};

const PATH: &str = "/.well-known/openid-credential-issuer";

async fn get(council: &Council, path: &str, fields: &[(&str, &str)]) -> Reply {
    let mut request = Request::get(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    council.call(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn metadata_names_every_endpoint_and_speaks_both_languages() {
    let council = Council::new().await;
    let reply = get(&council, PATH, &[]).await;
    assert_eq!(
        (&reply.headers["content-type"], &reply.headers["content-language"]),
        (&"application/json".parse().unwrap(), &"en, cy".parse().unwrap())
    );
    assert_eq!(reply.headers["vary"], "Accept, Accept-Language");
    let metadata = IssuerMetadata::parse(&reply.body, ISSUER).unwrap();
    assert_eq!(metadata.deferred_credential_endpoint.as_deref(), Some(&*format!("{ISSUER}/deferred")));
    assert_eq!(metadata.notification_endpoint.as_deref(), Some(&*format!("{ISSUER}/notification")));
    assert_eq!(metadata.batch_credential_issuance.unwrap().batch_size, 30);
    for (id, one) in &metadata.credential_configurations_supported {
        assert_eq!(one.scope.as_ref(), Some(id), "HAIP: a scope in every configuration");
        let shown = one.credential_metadata.as_ref().unwrap();
        assert_eq!(shown.display.len(), 2);
        assert!(shown.claims.iter().all(|claim| claim.display.len() == 2));
    }
    let zip = reply.json()["credential_response_encryption"].get("zip_values_supported").cloned();
    assert_eq!(zip, None, "compression is not offered");
    let server = get(&council, "/.well-known/oauth-authorization-server", &[]).await;
    let read = ServerMetadata::parse(&server.body, ISSUER).unwrap();
    assert!(read.binds_tokens() && read.anonymous_access);
    assert_eq!(read.scopes_supported, ["residency", "residency-zk"]);
    assert_eq!(server.json()["authorization_details_types_supported"][0], "openid_credential");
}

#[tokio::test]
async fn metadata_comes_in_the_language_that_is_asked_for() {
    let council = Council::new().await;
    let reply = get(&council, PATH, &[("accept-language", "cy-GB, en;q=0.5")]).await;
    assert_eq!(reply.headers["content-language"], "cy");
    let metadata = IssuerMetadata::parse(&reply.body, ISSUER).unwrap();
    assert_eq!(metadata.display.len(), 1);
    assert_eq!(metadata.display[0].name, "Cyngor Dosbarth Larkfield");
    assert!(!reply.text().contains("your address"));
}

#[tokio::test]
async fn metadata_comes_signed_to_who_asks_for_it() {
    let council = Council::new().await;
    let reply = get(&council, PATH, &[("accept", "application/jwt")]).await;
    assert_eq!(reply.headers["content-type"], "application/jwt");
    let anchors = [council.anchor()];
    let expected = signed::Expected { issuer: ISSUER, anchors: &anchors, now: NOW };
    let metadata = signed::verify(&reply.text(), &expected, &Jws).unwrap();
    assert_eq!(metadata.credential_endpoint, format!("{ISSUER}/credential"));
}

#[tokio::test]
async fn a_type_whose_name_is_an_address_of_ours_has_its_document_there() {
    let council = Council::new().await;
    // The residency type has an address elsewhere, and elsewhere is not served.
    assert_eq!(get(&council, "/types/residency/1", &[]).await.refused(), (404, "not-found".to_owned()));
    let own = format!("{ISSUER}/types/parking/1");
    let council = Council::of_type(|described| described.vct.clone_from(&own)).await;
    for (path, vct) in [("/types/parking/1", own.clone()), ("/types/parking/1/zk", format!("{own}/zk"))] {
        let reply = get(&council, path, &[]).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["x-content-type-options"]),
            (200, &"nosniff".parse().unwrap())
        );
        assert_eq!(reply.headers["content-security-policy"], "default-src 'none'");
        let document = TypeMetadata::parse(&reply.body, &vct, Some(&integrity(&reply.body))).unwrap();
        assert_eq!(document.display.len(), 2);
        assert_eq!(document.name.as_deref(), Some(credential_type().name.en.as_str()));
    }
    let post = Request::post("/types/parking/1").body(Body::empty()).unwrap();
    assert_eq!(council.call(post).await.status, 404);
}
