// The rate limit, by principal
import { Injectable } from '@nestjs/common'
import { ThrottlerGuard } from '@nestjs/throttler'

@Injectable()
export class PrincipalThrottlerGuard extends ThrottlerGuard {
  protected override async getTracker (request: Record<string, any>): Promise<string> {
    return request.user?.sub ?? request.ip
  }
}
