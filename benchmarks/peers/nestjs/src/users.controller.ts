// The three routes of the benchmark
import { Body, Controller, Get, NotFoundException, Param, ParseUUIDPipe, Post, Query, Req } from '@nestjs/common'
import { Scope } from './auth.guard.js'
import { NewUser, PageOfUsers } from './users.dto.js'
import { UsersService } from './users.service.js'

@Controller('api/v1/users')
export class UsersController {
  constructor (private readonly users: UsersService) {}

  @Get(':id')
  @Scope('users:read')
  async read (@Param('id', ParseUUIDPipe) id: string, @Req() request: any) {
    const data = await this.users.find(id)
    if (data === null) throw new NotFoundException()
    return { data, meta: { requestId: request.id } }
  }

  @Get()
  @Scope('users:read')
  async browse (@Query() { status, page, pageSize }: PageOfUsers, @Req() request: any) {
    const { rows, total } = await this.users.list(status, page, pageSize)
    return {
      data: rows,
      meta: {
        page, pageSize, totalCount: total, totalPages: Math.ceil(total / pageSize), requestId: request.id
      }
    }
  }

  @Post()
  async create (@Body() user: NewUser, @Req() request: any) {
    return { data: await this.users.create(user), meta: { requestId: request.id } }
  }
}
