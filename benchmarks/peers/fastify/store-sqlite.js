// users in SQLite: better-sqlite3 answers in the same thread, from statements that are prepared once
import Database from 'better-sqlite3'

const COLUMNS = 'id, name, email, status, created_at, updated_at'

// the file keeps ids as 32 digits and instants in UTC without a zone
const stored = id => id.replaceAll('-', '')
const shown = id => `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`
const user = row => ({
  id: shown(row.id),
  name: row.name,
  email: row.email,
  status: row.status,
  createdAt: `${row.created_at}Z`,
  updatedAt: `${row.updated_at}Z`
})

export function openStore (url) {
  const db = new Database(url.replace('sqlite:///', ''))
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL') // as everybody's here: an acknowledged write survives a power cut
  db.pragma('foreign_keys = ON')
  const byId = db.prepare(`SELECT ${COLUMNS} FROM users WHERE id = ?`)
  const page = db.prepare(`SELECT ${COLUMNS} FROM users WHERE status = ? ORDER BY id LIMIT ? OFFSET ?`)
  const count = db.prepare('SELECT count(*) AS count FROM users WHERE status = ?')
  const insert = db.prepare(`INSERT INTO users (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) RETURNING ${COLUMNS}`)

  return {
    async find (id) {
      const row = byId.get(stored(id))
      return row === undefined ? undefined : user(row)
    },

    async list (status, limit, offset) {
      return { rows: page.all(status, limit, offset).map(user), total: count.get(status).count }
    },

    async insert (made) {
      const at = made.createdAt.toISOString().slice(0, -1)
      return user(insert.get(stored(made.id), made.name, made.email, made.status, at, at))
    },

    isDuplicate: error => error.code === 'SQLITE_CONSTRAINT_UNIQUE',
    isBadId: () => false,
    close: async () => db.close()
  }
}
