// users in PostgreSQL: one Pool, named statements, which pg prepares once per connection
import pg from 'pg'

const COLUMNS = 'id, name, email, status, created_at AS "createdAt", updated_at AS "updatedAt"'

export function openStore (url, poolSize) {
  const pool = new pg.Pool({ connectionString: url, max: poolSize })

  return {
    async find (id) {
      const { rows } = await pool.query({
        name: 'user-by-id',
        text: `SELECT ${COLUMNS} FROM users WHERE id = $1`,
        values: [id]
      })
      return rows[0]
    },

    async list (status, limit, offset) {
      const [page, count] = await Promise.all([
        pool.query({
          name: 'users-page',
          text: `SELECT ${COLUMNS} FROM users WHERE status = $1 ORDER BY id LIMIT $2 OFFSET $3`,
          values: [status, limit, offset]
        }),
        pool.query({
          name: 'users-count',
          text: 'SELECT count(*)::int AS count FROM users WHERE status = $1',
          values: [status]
        })
      ])
      return { rows: page.rows, total: count.rows[0].count }
    },

    async insert (user) {
      const { rows } = await pool.query({
        name: 'user-insert',
        text: `INSERT INTO users (id, name, email, status, created_at, updated_at)
               VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${COLUMNS}`,
        values: [user.id, user.name, user.email, user.status, user.createdAt, user.updatedAt]
      })
      return rows[0]
    },

    isDuplicate: error => error.code === '23505',
    isBadId: error => error.code === '22P02',
    close: () => pool.end()
  }
}
