// The peer: Fastify with pg (or better-sqlite3). HARDENED=1 adds what the hardened profile names; see hardened.js.
import Fastify from 'fastify'
import { routes } from './routes.js'

const { DATABASE_URL, PORT, HARDENED, POOL_SIZE } = process.env
const hardened = HARDENED === '1'
const { openStore } = await import(DATABASE_URL.startsWith('sqlite') ? './store-sqlite.js' : './store-postgresql.js')
const store = openStore(DATABASE_URL, Number(POOL_SIZE))

// without a logger in bare; hardened: pino's line per request on standard output
const app = Fastify(hardened ? (await import('./hardened.js')).options : { logger: false })
if (hardened) await app.register((await import('./hardened.js')).hardening, { store })
await app.register(routes, { store, hardened })
await app.listen({ host: '127.0.0.1', port: Number(PORT) })

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await app.close()
    await store.close()
    process.exit(0)
  })
}
