// One span and one observation of the metrics per request, and the request id: hooks of Fastify, which cost less than interceptors
import { type Span, SpanKind } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import prometheus from 'prom-client'

// address, batches and queue are those of OpenTelemetry's variables
const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] })
const tracer = provider.getTracer('shop')
const seconds = new prometheus.Histogram({
  name: 'http_request_duration_seconds',
  help: 'duration of requests by method, route and status',
  labelNames: ['method', 'route', 'status']
})
const SPAN = Symbol('span')

export const traceId = (raw: any): string | undefined => (raw[SPAN] as Span | undefined)?.spanContext().traceId

export function observe (fastify: any): void {
  fastify.addHook('onRequest', (request: any, reply: any, done: () => void) => {
    const route = request.routeOptions.url
    request.raw[SPAN] = tracer.startSpan(`${request.method} ${route}`, { kind: SpanKind.SERVER })
    request.raw.id = request.id
    reply.header('x-request-id', request.id)
    done()
  })
  fastify.addHook('onResponse', (request: any, reply: any, done: () => void) => {
    const { method, routeOptions: { url: route } } = request
    seconds.labels(method, route ?? 'none', String(reply.statusCode)).observe(reply.elapsedTime / 1000)
    const span: Span = request.raw[SPAN]
    span.setAttributes({
      'http.request.method': method,
      'http.route': route,
      'http.response.status_code': reply.statusCode
    })
    span.end()
    done()
  })
  fastify.addHook('onClose', () => provider.shutdown())
}
