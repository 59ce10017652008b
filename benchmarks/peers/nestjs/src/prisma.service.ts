// Prisma's client without its Rust engine: queries are compiled by WebAssembly and sent by pg
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common'
import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from './generated/client.js'

@Injectable()
export class PrismaService extends PrismaClient implements OnModuleInit, OnModuleDestroy {
  constructor () {
    super({
      adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL_SIZE) })
    })
  }

  async onModuleInit (): Promise<void> {
    await this.$connect()
  }

  async onModuleDestroy (): Promise<void> {
    await this.$disconnect()
  }
}
