// What clients send
import { Type } from 'class-transformer'
import { IsEmail, IsIn, IsInt, IsOptional, IsString, Length, Max, MaxLength, Min } from 'class-validator'

export class NewUser {
  @IsString()
  @Length(1, 100)
  name: string

  @IsEmail()
  @MaxLength(254)
  email: string
}

export class PageOfUsers {
  @IsIn(['pending', 'active', 'suspended'])
  status: string

  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  page: number = 1

  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(100)
  pageSize: number = 20
}
