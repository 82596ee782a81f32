python -m uno.deployment.scripts.deploy \
  --app-name my-app \
  --environment prod \
  --platform kubernetes \
  --config-file ./deployment/config.yaml \
  --strategy rolling
