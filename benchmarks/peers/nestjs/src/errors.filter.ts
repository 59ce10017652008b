// Errors in the form of the other peers
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Logger } from '@nestjs/common'
import { Prisma } from './generated/client.js'

@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly log = new Logger(ErrorFilter.name)

  catch (error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp()
    const status = this.status(error)
    if (status >= 500) this.log.error(error)
    const code = error instanceof HttpException ? error.name : status === 409 ? 'CONFLICT' : 'INTERNAL'
    http.getResponse().status(status).send({ error: { code }, meta: { requestId: http.getRequest().id } })
  }

  private status (error: unknown): number {
    if (error instanceof HttpException) return error.getStatus()
    return error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002' ? 409 : 500
  }
}
