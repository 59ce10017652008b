// The hardened profile, each part from the plugin that Fastify's own documentation names for it
import { randomUUID } from 'node:crypto'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import jwt from '@fastify/jwt'
import rateLimit from '@fastify/rate-limit'
import { SpanKind, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import { LogController } from 'fastify'
import fp from 'fastify-plugin'
import prometheus from 'prom-client'

// one line per request, in place of the two that Fastify writes by itself
export const options = {
  logger: { level: 'info' },
  logController: new LogController({ disableRequestLogging: true }),
  genReqId: request => request.headers['x-request-id'] ?? randomUUID()
}

export const hardening = fp(async (app, { store }) => {
  await app.register(helmet)
  await app.register(cors, { origin: 'https://app.example' })
  await app.register(jwt, { secret: process.env.JWT_SECRET, verify: { algorithms: ['HS256'] } })

  // address, batches and queue are those of OpenTelemetry's variables
  const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] })
  app.addHook('onClose', () => provider.shutdown())
  const tracer = provider.getTracer('shop')
  const seconds = new prometheus.Histogram({
    name: 'http_request_duration_seconds',
    help: 'duration of requests by method, route and status',
    labelNames: ['method', 'route', 'status']
  })

  app.decorateRequest('span', null)
  app.addHook('onRequest', async (request, reply) => {
    request.span = tracer.startSpan(`${request.method} ${request.routeOptions.url}`, { kind: SpanKind.SERVER })
    reply.header('x-request-id', request.id)
  })
  app.addHook('onRequest', async (request, reply) => {
    try {
      await request.jwtVerify()
    } catch {
      return reply.code(401).send({ error: { code: 'UNAUTHORIZED' }, meta: { requestId: request.id } })
    }
  })
  await app.register(rateLimit, {
    max: 1_000_000_000,
    timeWindow: '1 minute',
    hook: 'preValidation', // after the token, so that it counts by principal
    keyGenerator: request => request.user.sub
  })
  app.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions: { url: route } } = request
    const status = reply.statusCode
    seconds.labels(method, route ?? 'none', String(status)).observe(reply.elapsedTime / 1000)
    request.span.setAttributes({
      'http.request.method': method,
      'http.route': route,
      'http.response.status_code': status
    })
    request.span.end()
    request.log.info({
      method,
      path: request.url,
      route,
      status,
      userId: request.user?.sub,
      traceId: request.span.spanContext().traceId,
      duration: reply.elapsedTime
    }, 'request')
  })

  app.decorate('requireScope', scope => async (request, reply) => {
    if (!request.user.scope?.split(' ').includes(scope)) {
      return reply.code(403).send({ error: { code: 'FORBIDDEN' }, meta: { requestId: request.id } })
    }
  })
  app.setErrorHandler((error, request, reply) => {
    const known = error.validation || store.isBadId(error)
      ? [400, 'VALIDATION_ERROR']
      : store.isDuplicate(error) ? [409, 'CONFLICT'] : [error.statusCode ?? 500, error.code ?? 'INTERNAL']
    if (known[0] >= 500) request.log.error(error)
    return reply.code(known[0]).send({ error: { code: known[1] }, meta: { requestId: request.id } })
  })
})
