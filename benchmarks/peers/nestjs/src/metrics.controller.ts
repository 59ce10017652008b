// GET /metrics, for who has no token
import { Controller, Get, Res } from '@nestjs/common'
import { PrometheusController } from '@willsoto/nestjs-prometheus'
import { Public } from './auth.guard.js'

@Public()
@Controller()
export class MetricsController extends PrometheusController {
  @Get()
  override async index (@Res({ passthrough: true }) response: any): Promise<string> {
    return super.index(response)
  }
}
