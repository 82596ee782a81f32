./scripts/deployment/canary-deploy.sh auth-service ghcr.io/orion/auth:v2.0.0 \
  --namespace orion \
  --mesh istio \
  --error-threshold 5 \
  --latency-p95 500 \
  --traffic-steps "5,25,50,100" \
  --step-duration 5 \
  --auto-promote
