// what `prisma generate` reads; it opens no database
import { defineConfig } from 'prisma/config'

export default defineConfig({ schema: 'schema.prisma' })
