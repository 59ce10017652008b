// The peer: NestJS on Fastify with Prisma, hardened: each part as NestJS's own documentation has it
import 'reflect-metadata'
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import helmet from '@fastify/helmet'
import { ValidationPipe } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import { Logger } from 'nestjs-pino'
import { AppModule } from './app.module.js'
import { observe } from './observe.js'

const adapter = new FastifyAdapter({
  logger: false, // nestjs-pino writes the line
  genReqId: (request: IncomingMessage) => (request.headers['x-request-id'] as string | undefined) ?? randomUUID()
})
const app = await NestFactory.create<NestFastifyApplication>(AppModule, adapter, { bufferLogs: true })
app.useLogger(app.get(Logger))
observe(app.getHttpAdapter().getInstance())
await app.register(helmet)
app.enableCors({ origin: 'https://app.example' })
app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }))
app.enableShutdownHooks()
await app.listen(Number(process.env.PORT), '127.0.0.1')
