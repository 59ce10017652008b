// What the application consists of. Guards run in this order: the token, then the limit, which counts by principal
import { Module, RequestMethod } from '@nestjs/common'
import { APP_FILTER, APP_GUARD } from '@nestjs/core'
import { JwtModule } from '@nestjs/jwt'
import { ThrottlerModule } from '@nestjs/throttler'
import { PrometheusModule } from '@willsoto/nestjs-prometheus'
import { LoggerModule } from 'nestjs-pino'
import { AuthGuard } from './auth.guard.js'
import { ErrorFilter } from './errors.filter.js'
import { MetricsController } from './metrics.controller.js'
import { traceId } from './observe.js'
import { PrincipalThrottlerGuard } from './principal.guard.js'
import { PrismaService } from './prisma.service.js'
import { UsersController } from './users.controller.js'
import { UsersService } from './users.service.js'

@Module({
  imports: [
    JwtModule.register({ secret: process.env.JWT_SECRET, verifyOptions: { algorithms: ['HS256'] } }),
    ThrottlerModule.forRoot([{ ttl: 60_000, limit: 1_000_000_000 }]),
    PrometheusModule.register({ controller: MetricsController }),
    LoggerModule.forRoot({
      forRoutes: [{ path: '{*splat}', method: RequestMethod.ALL }], // its default matches / alone on Fastify
      pinoHttp: {
        level: 'info',
        // one line of what the others write, instead of all headers of request and answer
        quietReqLogger: true,
        serializers: {
          req: request => ({ method: request.method, path: request.url }),
          res: response => ({ status: response.statusCode })
        },
        genReqId: request => request.id,
        customProps: request => ({ userId: (request as any).user?.sub, traceId: traceId(request) })
      }
    })
  ],
  controllers: [UsersController],
  providers: [
    PrismaService,
    UsersService,
    { provide: APP_GUARD, useClass: AuthGuard },
    { provide: APP_GUARD, useClass: PrincipalThrottlerGuard },
    { provide: APP_FILTER, useClass: ErrorFilter }
  ]
})
export class AppModule {}
