// the three routes of the benchmark; schemas of answers always (fast-json-stringify), of input where hardened
import { v7 as uuidv7 } from 'uuid'

const user = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    name: { type: 'string' },
    email: { type: 'string' },
    status: { type: 'string' },
    createdAt: { type: 'string', format: 'date-time' },
    updatedAt: { type: 'string', format: 'date-time' }
  }
}
const requestId = { type: 'string' }
const one = {
  type: 'object',
  properties: { data: user, meta: { type: 'object', properties: { requestId } } }
}
const many = {
  type: 'object',
  properties: {
    data: { type: 'array', items: user },
    meta: {
      type: 'object',
      properties: {
        page: { type: 'integer' },
        pageSize: { type: 'integer' },
        totalCount: { type: 'integer' },
        totalPages: { type: 'integer' },
        requestId
      }
    }
  }
}
const input = {
  params: { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } },
  query: {
    type: 'object',
    required: ['status'],
    additionalProperties: false,
    properties: {
      status: { type: 'string', enum: ['pending', 'active', 'suspended'] },
      page: { type: 'integer', minimum: 1, default: 1 },
      pageSize: { type: 'integer', minimum: 1, maximum: 100, default: 20 }
    }
  },
  body: {
    type: 'object',
    required: ['name', 'email'],
    additionalProperties: false,
    properties: {
      name: { type: 'string', minLength: 1, maxLength: 100 },
      email: { type: 'string', format: 'email', maxLength: 254 }
    }
  }
}

export async function routes (app, { store, hardened }) {
  const meta = hardened ? request => ({ requestId: request.id }) : () => ({})
  const reads = hardened ? { onRequest: app.requireScope('users:read') } : {}
  const valid = schema => (hardened ? schema : {})

  app.get('/api/v1/users/:id', {
    ...reads,
    schema: { ...valid({ params: input.params }), response: { 200: one } }
  }, async (request, reply) => {
    const found = await store.find(request.params.id)
    if (found === undefined) return reply.code(404).send({ error: { code: 'NOT_FOUND' } })
    return { data: found, meta: meta(request) }
  })

  app.get('/api/v1/users', {
    ...reads,
    schema: { ...valid({ querystring: input.query }), response: { 200: many } }
  }, async request => {
    const page = Number(request.query.page)
    const pageSize = Number(request.query.pageSize)
    const { rows, total } = await store.list(request.query.status, pageSize, (page - 1) * pageSize)
    return {
      data: rows,
      meta: { page, pageSize, totalCount: total, totalPages: Math.ceil(total / pageSize), ...meta(request) }
    }
  })

  app.post('/api/v1/users', {
    schema: { ...valid({ body: input.body }), response: { 201: one } }
  }, async (request, reply) => {
    const now = new Date()
    const made = await store.insert({
      id: uuidv7(),
      name: request.body.name,
      email: request.body.email,
      status: 'pending',
      createdAt: now,
      updatedAt: now
    })
    reply.code(201)
    return { data: made, meta: meta(request) }
  })
}
