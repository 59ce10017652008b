// Users in the database
import { Injectable } from '@nestjs/common'
import type { User } from './generated/client.js'
import { PrismaService } from './prisma.service.js'
import type { NewUser } from './users.dto.js'

@Injectable()
export class UsersService {
  constructor (private readonly prisma: PrismaService) {}

  find (id: string): Promise<User | null> {
    return this.prisma.user.findUnique({ where: { id } })
  }

  async list (status: string, page: number, pageSize: number): Promise<{ rows: User[], total: number }> {
    const where = { status }
    const [rows, total] = await Promise.all([
      this.prisma.user.findMany({ where, orderBy: { id: 'asc' }, skip: (page - 1) * pageSize, take: pageSize }),
      this.prisma.user.count({ where })
    ])
    return { rows, total }
  }

  create (user: NewUser): Promise<User> {
    return this.prisma.user.create({ data: user })
  }
}
