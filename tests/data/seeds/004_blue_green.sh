python -m uno.deployment.scripts.blue_green \
  --app-name my-app \
  --namespace my-namespace \
  --image-tag v1.0.0 \
  --health-check-url http://my-app-{env}.example.com/health
