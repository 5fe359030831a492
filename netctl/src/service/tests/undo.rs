use super::*;
use crate::{reconcile::controller::Scope, service::fake::reopen};

/// Everything but the counters, which only ever grow.
#[track_caller]
fn same(service: &Service, fake: &Fake, before: &Model) {
    for model in [service.model(), fake.world(|w| w.model.clone())] {
        assert_eq!(model.networks, before.networks);
        assert_eq!(model.sandboxes, before.sandboxes);
        assert_eq!(model.endpoints, before.endpoints);
        assert_eq!(model.ports, before.ports);
    }
}

#[tokio::test]
async fn what_the_machine_refuses_is_undone_everywhere() {
    let (service, fake, dir) = service();
    service.create_network(network("net", None)).await.unwrap();
    service
        .create_network(network("other", None))
        .await
        .unwrap();
    service
        .create_ns(ns("web", Some("net"), &["8080:80"]))
        .await
        .unwrap();
    let before = service.model();
    let connect = || types::Connect {
        ns: "web".into(),
        ip: None,
        ip6: None,
    };

    fake.fail(&["add link nc-br3: no space"]);
    let error = service
        .create_network(network("new", None))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Failed(_)));
    says(
        &error,
        &["add link nc-br3: no space", "the change was undone"],
    );
    same(&service, &fake, &before);

    fake.fail(&["x"]);
    service
        .create_ns(ns("new", Some("net"), &["1:1"]))
        .await
        .unwrap_err();
    same(&service, &fake, &before);
    fake.fail(&["x"]);
    service
        .add_ports("web", vec!["1:1".into(), "2:2".into()])
        .await
        .unwrap_err();
    same(&service, &fake, &before);
    fake.fail(&["x"]);
    service.connect("other", connect()).await.unwrap_err();
    same(&service, &fake, &before);
    fake.fail(&["x"]);
    service
        .remove_ports("web", vec!["80".into()])
        .await
        .unwrap_err();
    same(&service, &fake, &before);
    fake.fail(&["x"]);
    service.remove_ns("web").await.unwrap_err();
    same(&service, &fake, &before);
    fake.fail(&["x"]);
    service.remove_network("other").await.unwrap_err();
    same(&service, &fake, &before);

    drop(service);
    let service = reopen(&fake, dir.path());
    same(&service, &fake, &before);
}

#[tokio::test]
async fn an_undo_converges_what_it_undoes() {
    let (service, fake, _dir) = service();
    service.create_network(network("net", None)).await.unwrap();
    fake.fail(&["x"]);
    service
        .create_ns(ns("web", Some("net"), &[]))
        .await
        .unwrap_err();
    let passes = fake.world(|w| w.passes.clone());
    assert_eq!(passes[1..], [[Scope::Endpoint(1)], [Scope::Endpoint(1)]]);
}

#[tokio::test]
async fn an_undo_that_fails_is_told() {
    let (service, fake, _dir) = service();
    fake.fail(&["first", "second"]);
    let error = service
        .create_network(network("net", None))
        .await
        .unwrap_err();
    says(
        &error,
        &["first; undoing it failed, too, and is tried again by every pass: second"],
    );
    assert!(service.model().networks.is_empty());
}

#[tokio::test]
async fn nobody_builds_on_what_may_be_undone() {
    let (service, fake, _dir) = service();
    fake.fail(&["x"]);
    let network = service.create_network(network("net", None));
    let web = service.create_ns(ns("web", Some("net"), &[]));
    let (network, web) = tokio::join!(network, web);
    network.unwrap_err();
    says(&web.unwrap_err(), &["network \"net\" does not exist"]);
}

#[tokio::test]
async fn after_a_purge_nothing_is_taken_any_more() {
    let (service, fake, dir) = service();
    service.create_network(network("net", None)).await.unwrap();
    fake.fail(&["busy"]);
    let error = service.purge().await.unwrap_err();
    says(&error, &["busy", "goes on where it stopped"]);
    assert!(dir.path().join(crate::store::FILE).exists());
    service.purge().await.unwrap();
    assert!(!dir.path().join(crate::store::FILE).exists());
    let error = service
        .create_network(network("new", None))
        .await
        .unwrap_err();
    says(&error, &["everything was taken away by `netctl purge`"]);
}
