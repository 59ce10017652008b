// The guard of NestJS's page on authentication, and the scope that a route asks for
import { type CanActivate, type ExecutionContext, ForbiddenException, Injectable, SetMetadata, UnauthorizedException } from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import { JwtService } from '@nestjs/jwt'

const PUBLIC = 'public'
const SCOPE = 'scope'
export const Public = () => SetMetadata(PUBLIC, true)
export const Scope = (scope: string) => SetMetadata(SCOPE, scope)

@Injectable()
export class AuthGuard implements CanActivate {
  constructor (private readonly jwt: JwtService, private readonly reflector: Reflector) {}

  async canActivate (context: ExecutionContext): Promise<boolean> {
    const places = [context.getHandler(), context.getClass()]
    if (this.reflector.getAllAndOverride<boolean>(PUBLIC, places)) return true
    const request = context.switchToHttp().getRequest()
    const [kind, token] = request.headers.authorization?.split(' ') ?? []
    if (kind !== 'Bearer' || token === undefined) throw new UnauthorizedException()
    try {
      request.user = await this.jwt.verifyAsync(token)
    } catch {
      throw new UnauthorizedException()
    }
    request.raw.user = request.user // for the log line
    const scope = this.reflector.getAllAndOverride<string | undefined>(SCOPE, places)
    if (scope !== undefined && !request.user.scope?.split(' ').includes(scope)) throw new ForbiddenException()
    return true
  }
}
